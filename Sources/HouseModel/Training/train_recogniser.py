"""Trains the recogniser: `python -m Training.train_recogniser --work DIR --minutes 20 [--house HOUSE] --out DIR [--resume]`.

Every fourth batch has some of its windows as the codec gives them back, decoded from the codes of tokenise.py, with a random level and equaliser on all of it. A second counts as
"sounds" when the group's stem is above the threshold in at least 8 of its 50 frames; seconds with 1 to 7 are left out.
"""
import argparse
import math
import os
import time

import numpy as np
import torch

from . import workspace
from .data import Windows
from .note import GROUPS
from .recogniser import Recogniser, export
from .tokenise import codes_array, load_codec, plain_weights

SECONDS, FEW, ENOUGH = 4, 1, 8
EDGE = 25       # steps on both sides of a window that are decoded with it and thrown away


def truth(activity):
    """activity [batch, steps, 5] -> target [batch, seconds, 5] and mask of the seconds that are clear."""
    count = activity.view(activity.shape[0], -1, 50, activity.shape[-1]).sum(2)
    return (count >= ENOUGH).float(), ((count < FEW) | (count >= ENOUGH)).float()


@torch.no_grad()
def through(codec, codes, places):
    """What the codec makes of the windows that begin at `places` (song, step): audio [windows, samples]. codes: [songs, 4, steps]."""
    windows = []
    for song, at in places:
        first, last = max(0, at - EDGE), min(codes.shape[-1], at + SECONDS * 50 + EDGE)
        part = torch.from_numpy(codes[song, :, first:last].astype(np.int64))
        audio = codec.decode(part[None, None], [None]).audio_values[0, 0]
        windows.append(audio[(at - first) * 640:(at - first + SECONDS * 50) * 640])
    return torch.stack(windows)


def accuracy(model, audio, activity):
    """Share of right seconds per group [5]."""
    model.eval()
    with torch.no_grad():
        said = (torch.cat([model(a) for a in audio.split(16)]) > 0).float()
    target, mask = truth(activity)
    model.train()
    return (((said == target) * mask).sum((0, 1)) / mask.sum((0, 1))).numpy()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    workspace.add_option(parser)
    parser.add_argument("--minutes", type=float, default=20)
    parser.add_argument("--house", help="exported model whose codec to use; codec.pt of the work folder when absent")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--out", help="folder of recogniser.safetensors and recogniser.json")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(4)
    model = Recogniser()
    codec = plain_weights(load_codec(options.work, options.house)) if options.house or os.path.exists(os.path.join(options.work, "codec.pt")) else None
    codes, coded = codes_array(options.work, "train")
    optimiser = torch.optim.AdamW(model.parameters(), lr=2e-3, weight_decay=1e-3)
    path, step, spent = os.path.join(options.work, "recogniser.pt"), 0, 0.0
    if options.resume and os.path.exists(path):
        kept = torch.load(path, weights_only=True)
        model.load_state_dict(kept["model"])
        optimiser.load_state_dict(kept["optimiser"])
        step, spent = kept["step"], kept["spent"]
    data = Windows(options.work, "train", SECONDS * 50, seed=step + 7)
    windows = Windows(options.work, "test", SECONDS * 50, seed=8)
    held = windows.draw(160)
    test_codes, test_coded = codes_array(options.work, "test")
    known = [n for n, (song, _) in enumerate(windows.places) if test_coded[song]]
    held_codec = through(codec, test_codes, [windows.places[n] for n in known]) if codec and known else None
    begin, budget = time.time() - spent, options.minutes * 60
    model.train()

    def report():
        figures = dict(clean=dict(zip(GROUPS, accuracy(model, held[0][:, 0], held[1]).round(4).tolist())))
        if held_codec is not None:
            figures["through_codec"] = dict(zip(GROUPS, accuracy(model, held_codec, held[1][known]).round(4).tolist()))
        return figures

    while (now := time.time() - begin) < budget:
        for group in optimiser.param_groups:
            group["lr"] = 2e-3 * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * now / budget)))
        audio, activity = data.draw(options.batch)
        audio = audio[:, 0]
        if codec is not None and step % 4 == 3:
            heard = [n for n, (song, _) in enumerate(data.places) if coded[song]][:options.batch // 2]
            if heard:
                audio[heard] = through(codec, codes, [data.places[n] for n in heard])
        audio = audio * 10 ** (torch.empty(len(audio), 1).uniform_(-8, 4) / 20)
        tilt = torch.empty(len(audio), 1).uniform_(-0.35, 0.35)
        audio = audio + tilt * torch.nn.functional.pad(audio, (1, 0))[:, :-1]
        target, mask = truth(activity)
        logits = model(audio)
        loss = (torch.nn.functional.binary_cross_entropy_with_logits(logits, target, reduction="none") * mask).sum() / mask.sum()
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        step += 1
        if step % 200 == 0:
            print(step, f"{time.time() - begin:.0f} s", round(loss.item(), 4), report(), flush=True)
            data.refresh()
            torch.save(dict(model=model.state_dict(), optimiser=optimiser.state_dict(), step=step, spent=time.time() - begin), path)
    torch.save(dict(model=model.state_dict(), optimiser=optimiser.state_dict(), step=step, spent=time.time() - begin), path)
    figures = report()
    print(step, figures, flush=True)
    if options.out:
        export(model, options.out, figures)


if __name__ == "__main__":
    main()
