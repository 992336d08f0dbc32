"""Puts codec, language model and text encoder into one MusicGen directory: `python -m Training.export --work DIR [--codec HOUSE] --out DIR`.

Reads codec.pt (or, with --codec, the codec of a model that was exported before, bit for bit) and lm-best.pt of the work folder (either may be missing: random weights take its place with --allow-random), writes
config.json, generation_config.json, model.safetensors (half precision), spiece.model and the tokenizer's configuration. The
model card is README.md of the directory and is written by hand and by evaluate.py.
"""
import argparse
import os
import shutil

import torch
from transformers import MusicgenForConditionalGeneration

from . import shapes, text, workspace


def assemble(work, allow_random=False, codec=None):
    """The whole model in float32 from the checkpoints of the work folder."""
    torch.manual_seed(3)
    model = MusicgenForConditionalGeneration(shapes.whole()).eval()
    for name, load in (("codec.pt", load_codec), ("lm-best.pt", load_language)):
        path = os.path.join(work, name)
        if name == "codec.pt" and codec:
            model.audio_encoder.load_state_dict(MusicgenForConditionalGeneration.from_pretrained(codec).audio_encoder.float().state_dict())
        elif os.path.exists(path):
            load(model, torch.load(path, weights_only=True, map_location="cpu"))
        elif not allow_random:
            raise SystemExit(f"{path} is missing: train it first, or pass --allow-random")
    if allow_random and not codec and not os.path.exists(os.path.join(work, "codec.pt")):
        for name, buffer in model.named_buffers():
            if name.endswith("codebook.embed"):
                buffer.normal_()
    configuration = model.generation_config
    configuration.pad_token_id = configuration.bos_token_id = configuration.decoder_start_token_id = shapes.CARDINALITY
    configuration.guidance_scale, configuration.do_sample, configuration.top_k, configuration.max_length = 3.0, True, 250, 1503
    return model


def load_codec(model, kept):
    model.audio_encoder.load_state_dict(kept["model"])


def load_language(model, kept):
    model.decoder.load_state_dict(kept["decoder"])
    model.text_encoder.load_state_dict(kept["text_encoder"])
    model.enc_to_dec_proj.load_state_dict(kept["enc_to_dec_proj"])


def write(model, work, out):
    """The MusicGen directory, half precision, with the tokenizer's files.

    Raises SystemExit where a weight does not fit half precision."""
    limits = max(p.abs().max().item() for p in model.parameters())
    if limits > 6e4:
        raise SystemExit(f"a weight of {limits} does not fit half precision")
    model.half().save_pretrained(out)
    words = os.path.join(work, "text")
    if not os.path.exists(words):
        text.train(words)
    for name in os.listdir(words):
        shutil.copy(os.path.join(words, name), os.path.join(out, name))
    sizes = {n: os.path.getsize(os.path.join(out, n)) for n in sorted(os.listdir(out))}
    print(sizes)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    workspace.add_option(parser)
    parser.add_argument("--out", required=True)
    parser.add_argument("--codec", help="exported model whose codec to keep")
    parser.add_argument("--allow-random", action="store_true")
    options = parser.parse_args()
    model = assemble(options.work, options.allow_random, options.codec)
    write(model, options.work, options.out)


if __name__ == "__main__":
    main()
