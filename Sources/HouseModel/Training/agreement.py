"""What the reference would choose next, for `continuo model check`: `python -m Training.agreement --house DIR --codes CATALOGUE --out GOLDEN`.

Writes GOLDEN/agreement.safetensors: agreement.codes [n, books, steps] int32, stretches of the catalogue's tracks; agreement.choices, the most
likely code of MusicgenForConditionalGeneration in float32 at every place, given all codes before it and no text; agreement.gap, how many
nats its second choice lies behind. Without --codes the codes are random. Then: `continuo model check DIR GOLDEN`.
"""
import argparse
import json
import os

import numpy as np
import torch
from safetensors.numpy import load_file, save_file
from transformers import MusicgenForConditionalGeneration


def delayed(codes, delays, special):
    """[n, books, steps] -> [n, books, steps + 1 + largest delay]: book k shifted by 1 + its delay, the special token elsewhere."""
    n, books, steps = codes.shape
    out = torch.full((n, books, steps + 1 + max(delays)), special, dtype=torch.long)
    for k, delay in enumerate(delays):
        out[:, k, 1 + delay:1 + delay + steps] = codes[:, k]
    return out


def stretches(folder, count, steps, seed):
    """Codes [count, books, steps]: one stretch of each of `count` tracks of a catalogue, those of the test split where there are any."""
    with open(os.path.join(folder, "catalogue.json")) as f:
        tracks = json.load(f)["tracks"]
    names = [t["id"] for t in tracks if t.get("split") == "test"] or [t["id"] for t in tracks]
    codes, rng = load_file(os.path.join(folder, "codes.safetensors")), np.random.default_rng(seed)
    out = []
    for name in rng.permutation(names)[:count]:
        at = int(rng.integers(0, codes[name].shape[1] - steps + 1))
        out.append(codes[name][:, at:at + steps].astype(np.int64))
    return torch.from_numpy(np.stack(out))


@torch.no_grad()
def choices(model, codes):
    """Most likely codes [n, books, steps] and how far the second lies behind."""
    config = model.config.decoder
    books, vocabulary = config.num_codebooks, config.vocab_size
    delays = [k // config.audio_channels for k in range(books)]
    best, gap = torch.empty_like(codes), torch.empty(codes.shape)
    for n, piece in enumerate(codes):
        sequence = delayed(piece[None], delays, vocabulary)
        logits = model.decoder(input_ids=sequence.reshape(books, -1), use_cache=False).logits.float().view(books, -1, vocabulary)
        for k, delay in enumerate(delays):
            two = logits[k, delay:delay + codes.shape[2]].log_softmax(-1).topk(2, -1)
            best[n, k], gap[n, k] = two.indices[:, 0], two.values[:, 0] - two.values[:, 1]
    return best, gap


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--house", required=True, help="a MusicGen directory")
    parser.add_argument("--codes", help="a catalogue's folder")
    parser.add_argument("--count", type=int, default=20)
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", required=True)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    model = MusicgenForConditionalGeneration.from_pretrained(options.house).float().eval()
    config = model.config.decoder
    if options.codes:
        codes = stretches(options.codes, options.count, options.steps, options.seed)
    else:
        codes = torch.randint(0, config.vocab_size, (options.count, config.num_codebooks, options.steps), generator=torch.Generator().manual_seed(options.seed))
    best, gap = choices(model, codes)
    os.makedirs(options.out, exist_ok=True)
    tensors = {"agreement.codes": codes.numpy().astype(np.int32), "agreement.choices": best.numpy().astype(np.int32), "agreement.gap": gap.numpy().astype(np.float32)}
    save_file(tensors, os.path.join(options.out, "agreement.safetensors"))
    print(f"{best.numel()} places of {len(codes)} stretches; the second choice lies {gap.median():.3f} nats behind in the median, {gap.min():.2e} at least")


if __name__ == "__main__":
    main()
