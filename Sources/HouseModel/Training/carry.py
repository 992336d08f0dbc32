"""Carries a language model over to a codec whose codes have changed: `python -m Training.carry --work DIR --house HOUSE --catalogue CATALOGUE --out DIR`.

The layers know music, the code embeddings and output heads know codes. CATALOGUE holds what HOUSE knows as codes (the shipped one), the work folder the same songs in
the codes of the new codec (`tokenise --again`). Each new code gets the mean of the old embeddings, and of the output heads' rows, of the codes that stood in the same book at the same moments, stretched to
the old spread; a code that never occurs keeps the mean of all. Writes HOUSE with the codec of codec.pt and these tables, in half precision: `train_lm --from` goes on from there (*ours*).
"""
import argparse
import os

import numpy as np
import torch
from safetensors.numpy import load_file
from transformers import MusicgenForConditionalGeneration

from . import export, shapes, workspace
from .catalogue import track_id
from .tokenise import codes_array


def together(old, new, size=shapes.CARDINALITY):
    """How often new code i and old code j stand in one place, [size, size]. old, new: arrays of codes of equal shape."""
    pairs = new.astype(np.int64).ravel() * size + old.astype(np.int64).ravel()
    return torch.from_numpy(np.bincount(pairs, minlength=size * size).reshape(size, size)).float()


def carried(table, counts):
    """Rows for the new codes: means of the old rows [size, width] by counts [new, old], as far from their mean as the old ones were."""
    seen = counts.sum(1)
    middle = (counts.sum(0) @ table) / counts.sum()
    rows = torch.where(seen[:, None] > 0, (counts @ table) / seen.clamp(min=1)[:, None], middle)
    weights = seen / seen.sum()
    spread = (weights @ (rows - middle).square().sum(1)).sqrt()
    wanted = ((counts.sum(0) / counts.sum()) @ (table - middle).square().sum(1)).sqrt()
    return middle + (rows - middle) * (wanted / spread.clamp(min=1e-6))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    workspace.add_option(parser)
    parser.add_argument("--house", required=True, help="exported model with the old codes")
    parser.add_argument("--catalogue", required=True, help="the training songs in the old codes")
    parser.add_argument("--out", required=True)
    options = parser.parse_args()
    model = MusicgenForConditionalGeneration.from_pretrained(options.house).float()
    old, (codes, flags) = load_file(os.path.join(options.catalogue, "codes.safetensors")), codes_array(options.work, "train")
    songs = [i for i in np.flatnonzero(flags) if track_id("train", int(i)) in old]
    if not songs:
        raise SystemExit(f"{options.work} has no codes of a song of {options.catalogue}: tokenise first")
    before, after = np.stack([old[track_id("train", int(i))] for i in songs]), np.stack([codes[i] for i in songs])
    with torch.no_grad():
        for book in range(shapes.BOOKS):
            counts = together(before[:, book], after[:, book])
            for weight in (model.decoder.model.decoder.embed_tokens[book].weight, model.decoder.lm_heads[book].weight):
                weight[:shapes.CARDINALITY] = carried(weight[:shapes.CARDINALITY], counts)
            same = counts.max(1).values.sum() / counts.sum()
            print(f"book {book + 1}: the likeliest old code of a new one stands with it in {100 * same:.0f} % of {int(counts.sum())} places", flush=True)
    export.load_codec(model, torch.load(os.path.join(options.work, "codec.pt"), weights_only=True, map_location="cpu"))
    export.write(model, options.work, options.out)


if __name__ == "__main__":
    main()
