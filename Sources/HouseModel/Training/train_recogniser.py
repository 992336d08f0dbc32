"""Trains the recogniser: `python -m Training.train_recogniser --work DIR --minutes 75 [--house HOUSE] --out DIR [--resume]`.

Of every batch the share --coded is as the codec gives it back, decoded from the codes of tokenise.py, with a random level and equaliser on all of it. A second counts as
"sounds" when the group's stem is above the threshold in at least 8 of its 50 frames; seconds with 1 to 7 are left out. What is exported is an average of the last updates
(0.998 of the old, 0.002 of the new at each). Every 200 updates a line of recogniser.csv: loss, and accuracy on validation songs; at the end on test songs.
"""
import argparse
import copy
import csv
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
AVERAGE = 0.998
FIELDS = ("update", "seconds", "loss", *GROUPS, *(f"{group}_through_codec" for group in GROUPS))
BANK, FRESH = 1500, 1       # windows through the codec that are kept for later batches; how many new ones each time
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
    with torch.no_grad():
        said = (torch.cat([model(a) for a in audio.split(16)]) > 0).float()
    target, mask = truth(activity)
    return (((said == target) * mask).sum((0, 1)) / mask.sum((0, 1))).numpy()


class Bank:
    """Windows as the codec gives them back: a few new ones each time, the rest from before. audio [n, samples], activity [n, steps, 5]."""

    def __init__(self, codec, codes, coded, windows):
        self.codec, self.codes, self.coded, self.windows = codec, codes, coded, windows
        self.audio, self.activity, self.rng = [], [], np.random.default_rng(windows.rng.integers(1 << 30))

    def take(self, n):
        """Decodes those of n new windows whose song is coded."""
        _, activity = self.windows.draw(n)
        known = [k for k, (song, _) in enumerate(self.windows.places) if self.coded[song]]
        for k, audio in zip(known, through(self.codec, self.codes, [self.windows.places[k] for k in known]) if known else []):
            self.audio.append(audio.half())
            self.activity.append(activity[k])
        del self.audio[:-BANK], self.activity[:-BANK]

    def draw(self, n):
        self.take(FRESH if self.audio else BANK // 10)
        while not self.audio:
            self.take(BANK // 10)
        some = self.rng.integers(len(self.audio), size=n)
        return torch.stack([self.audio[k] for k in some]).float(), torch.stack([self.activity[k] for k in some])


class Held:
    """Windows of a split that is not trained on, as given and through the codec."""

    def __init__(self, work, split, n, codec):
        windows = Windows(work, split, SECONDS * 50, seed=8)
        audio, self.activity = windows.draw(n)
        self.audio = audio[:, 0]
        codes, coded = codes_array(work, split)
        self.known = [k for k, (song, _) in enumerate(windows.places) if coded[song]]
        self.coded = through(codec, codes, [windows.places[k] for k in self.known]) if codec and self.known else None

    def figures(self, model):
        out = dict(clean=dict(zip(GROUPS, accuracy(model, self.audio, self.activity).round(4).tolist())))
        if self.coded is not None:
            out["through_codec"] = dict(zip(GROUPS, accuracy(model, self.coded, self.activity[self.known]).round(4).tolist()))
        return out


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    workspace.add_option(parser)
    parser.add_argument("--minutes", type=float, default=75)
    parser.add_argument("--house", help="exported model whose codec to use; codec.pt of the work folder when absent")
    parser.add_argument("--batch", type=int, default=24)
    parser.add_argument("--coded", type=float, default=0.125, help="share of windows through the codec")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rate", type=float, default=2e-3, help="learning rate at the start; it falls to a fiftieth")
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--out", help="folder of recogniser.safetensors and recogniser.json")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(4)
    model = Recogniser()
    average = copy.deepcopy(model).eval().requires_grad_(False)
    codec = plain_weights(load_codec(options.work, options.house)) if options.house or os.path.exists(os.path.join(options.work, "codec.pt")) else None
    codes, coded = codes_array(options.work, "train")
    optimiser = torch.optim.AdamW(model.parameters(), lr=options.rate, weight_decay=1e-3)
    path, step, spent = os.path.join(options.work, "recogniser.pt"), 0, 0.0
    if options.resume and os.path.exists(path):
        kept = torch.load(path, weights_only=True)
        model.load_state_dict(kept["training"])
        average.load_state_dict(kept["model"])
        optimiser.load_state_dict(kept["optimiser"])
        step, spent = kept["step"], kept["spent"]
    first, began = step, spent
    data = Windows(options.work, "train", SECONDS * 50, seed=step + 7)
    bank = Bank(codec, codes, coded, Windows(options.work, "train", SECONDS * 50, seed=step + 9)) if codec is not None and coded.any() else None
    validation = Held(options.work, "validation", 160, codec)
    begin, budget, saved, losses = time.time() - spent, options.minutes * 60, time.time(), []
    log = csv.DictWriter(open(os.path.join(options.work, "recogniser.csv"), "a" if step else "w", buffering=1), FIELDS)
    if not step:
        log.writeheader()
    model.train()

    def save():
        torch.save(dict(model=average.state_dict(), training=model.state_dict(), optimiser=optimiser.state_dict(), step=step, spent=time.time() - begin), path + ".part")
        os.replace(path + ".part", path)

    while (now := time.time() - begin) < budget:
        for group in optimiser.param_groups:
            group["lr"] = options.rate * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * (now - began) / max(budget - began, 1)))) * min(1, (step - first + 1) / 100)
        audio, activity = data.draw(options.batch)
        audio = audio[:, 0]
        if bank is not None and (share := round(options.batch * options.coded)):
            audio[:share], activity[:share] = bank.draw(share)
        audio = audio * 10 ** (torch.empty(len(audio), 1).uniform_(-8, 4) / 20)
        tilt = torch.empty(len(audio), 1).uniform_(-0.35, 0.35)
        audio = audio + tilt * torch.nn.functional.pad(audio, (1, 0))[:, :-1]
        target, mask = truth(activity)
        with torch.autocast("cpu", torch.bfloat16):
            logits = model(audio).float()
        loss = (torch.nn.functional.binary_cross_entropy_with_logits(logits, target, reduction="none") * mask).sum() / mask.sum()
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        step += 1
        losses.append(loss.item())
        with torch.no_grad():
            keep = min(AVERAGE, (step + 1) / (step + 10))
            for old, new in zip(average.state_dict().values(), model.state_dict().values()):
                old.lerp_(new, 1 - keep) if old.is_floating_point() else old.copy_(new)
        if step % 200 == 0:
            row, losses = dict(update=step, seconds=round(now), loss=round(sum(losses) / len(losses), 4)), []
            figures = validation.figures(average)
            row |= figures["clean"] | {f"{group}_through_codec": value for group, value in figures.get("through_codec", {}).items()}
            log.writerow({name: round(float(value), 4) for name, value in row.items()})
            print(row, flush=True)
            data.refresh()
        if time.time() - saved > 120:
            save()
            saved = time.time()
    save()
    figures = dict(validation=validation.figures(average), test=Held(options.work, "test", 160, codec).figures(average))
    print(step, figures, flush=True)
    if options.out:
        export(average, options.out, figures)


if __name__ == "__main__":
    main()
