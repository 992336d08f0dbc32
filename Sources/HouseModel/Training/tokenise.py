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
def encode(codec, audio, piece=400, context=8):
    """audio [batch, samples] float32 -> codes [batch, 4, steps] and latents [batch, 64, steps].

    The convolutions run over pieces of 8 s with 160 ms of context on both sides (they see 75 ms), which stay in the cache; the LSTM runs over the
    whole. Equal to the encoder over the whole clip up to rounding.
    """
    layers = codec.encoder.layers
    split = next(i for i, layer in enumerate(layers) if type(layer).__name__ == "EncodecLSTM")
    steps, parts = audio.shape[-1] // 640, []
    for start in range(0, steps, piece):
        first, last = max(0, start - context), min(steps, start + piece + context)
        h = audio[:, None, first * 640:last * 640]
        for layer in layers[:split]:
            h = layer(h)
        parts.append(h[..., start - first:start - first + min(piece, steps - start)])
    latents = torch.cat(parts, -1)
    for layer in layers[split:]:
        latents = layer(latents)
    return codec.quantizer.encode(latents, codec.config.target_bandwidths[-1]).transpose(0, 1), latents


def plain_weights(codec):
    """Folds the weight normalisation, which is otherwise computed at every call."""
    for module in codec.modules():
        if torch.nn.utils.parametrize.is_parametrized(module):
            torch.nn.utils.parametrize.remove_parametrizations(module, "weight")
    return codec


def codec_parser(about):
    """The options of whatever encodes songs."""
    parser = argparse.ArgumentParser(description=about)
    workspace.add_option(parser)
    parser.add_argument("--house", help="exported model whose codec to use")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--batch", type=int, default=2)
    parser.add_argument("--again", action="store_true", help="encode everything anew, after the codec has changed")
    return parser


def main():
    parser = codec_parser(__doc__)
    parser.add_argument("--share", default="1/1", help="I/N: every Nth song from the Ith, for N processes side by side")
    parser.add_argument("--wait", action="store_true", help="go on until every song is rendered")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    codec = plain_weights(load_codec(options.work, options.house))
    part, parts = map(int, options.share.split("/"))
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
            wanted = [i for i in workspace.rendered(options.work, split) if not flags[i] and i % parts == part - 1]
            for at in range(0, len(wanted), options.batch):
                batch = wanted[at:at + options.batch]
                x = torch.from_numpy(audio[batch].astype(np.float32) / 32768)
                found_codes, found_latents = encode(codec, x)
                codes[batch] = found_codes.numpy().astype(np.int16)
                latents[batch] = found_latents.numpy().astype(np.float16)
                flags[batch] = 1
                count += len(batch)
                found += len(batch)
                if count % 100 < options.batch:
                    print(f"{count} songs, {count * 32 / (time.time() - begin):.0f} x real time", flush=True)
        if not found:
            if all(workspace.array(options.work, "done", s).all() for s in COUNTS) or not options.wait:
                break
            time.sleep(5)
    print(f"{count} songs in {time.time() - begin:.0f} s", flush=True)


if __name__ == "__main__":
    main()
