"""Encodes every rendered song with the trained codec: `python -m Training.tokenise --work DIR [--house DIR]`.

Writes codes-SPLIT.i16 [songs, 4, 1600], latents-SPLIT.f16 [songs, 64, 1600] (before the quantiser, for the diffusion transformer) and
coded-SPLIT.u8 [songs]; songs that are there are kept unless --again. The codec comes from
codec.pt of the work folder, or from an exported house model with --house.
"""
import argparse
import os
import time

import numpy as np
import torch
from transformers import EncodecModel

from . import shapes, workspace
from .catalogue_plan import COUNTS


def load_codec(work, house=None):
    """The codec in float32, ready to use."""
    if house:
        from transformers import MusicgenForConditionalGeneration
        return MusicgenForConditionalGeneration.from_pretrained(house).audio_encoder.float().eval()
    model = EncodecModel(shapes.codec())
    model.load_state_dict(torch.load(os.path.join(work, "codec.pt"), weights_only=True)["model"])
    return model.eval()


def codes_array(work, split):
    """The memory maps of codes [songs, 4, 1600] int16 and of flags [songs]."""
    n = COUNTS[split]
    return memory_map(work, f"codes-{split}.i16", np.int16, (n, shapes.BOOKS, workspace.STEPS)), memory_map(work, f"coded-{split}.u8", np.uint8, (n,))


def latents_array(work, split):
    """The memory map of continuous latents [songs, 64, 1600] float16."""
    return memory_map(work, f"latents-{split}.f16", np.float16, (COUNTS[split], shapes.LATENT, workspace.STEPS))


def memory_map(work, name, dtype, shape):
    """A memory map, made when it is not there yet."""
    path = os.path.join(work, name)
    if not os.path.exists(path):
        with open(path, "wb") as f:
            f.truncate(int(np.prod(shape)) * np.dtype(dtype).itemsize)
    return np.memmap(path, dtype, "r+", shape=shape)


@torch.no_grad()
def encode(codec, audio):
    """audio [batch, samples] float32 -> codes [batch, 4, steps] and latents [batch, 64, steps]."""
    latents = codec.encoder(audio[:, None])
    return codec.quantizer.encode(latents, codec.config.target_bandwidths[-1]).transpose(0, 1), latents


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    workspace.add_option(parser)
    parser.add_argument("--house", help="exported model whose codec to use")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--again", action="store_true", help="encode everything anew, after the codec has changed")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    codec = load_codec(options.work, options.house)
    begin, count = time.time(), 0
    for split in ("validation", "test", "train"):
        codes, flags = codes_array(options.work, split)
        if options.again:
            flags[:] = 0
    while True:
        found = 0
        for split in ("validation", "test", "train"):
            codes, flags = codes_array(options.work, split)
            latents = latents_array(options.work, split)
            audio = workspace.array(options.work, "audio", split)
            wanted = [i for i in workspace.rendered(options.work, split) if not flags[i]]
            for at in range(0, len(wanted), options.batch):
                part = wanted[at:at + options.batch]
                x = torch.from_numpy(audio[part].astype(np.float32) / 32768)
                found_codes, found_latents = encode(codec, x)
                codes[part] = found_codes.numpy().astype(np.int16)
                latents[part] = found_latents.numpy().astype(np.float16)
                flags[part] = 1
                count += len(part)
                found += len(part)
                if count % 100 < options.batch:
                    print(f"{count} songs, {count * 32 / (time.time() - begin):.0f} x real time", flush=True)
        if not found:
            break
    print(f"{count} songs in {time.time() - begin:.0f} s", flush=True)


if __name__ == "__main__":
    main()
