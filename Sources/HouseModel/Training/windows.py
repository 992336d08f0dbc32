"""What the language model learns from: stretches of codes under the delay pattern, with a caption of what sounds in them."""
import os
import random

import numpy as np
import torch

from . import loops as sound_loops, shapes, workspace
from .captions import caption
from .catalogue_plan import song
from .note import GROUPS
from .tokenise import codes_array

SPECIAL = shapes.CARDINALITY


def delay(codes):
    """codes [batch, 4, steps] -> [batch, 4, steps + 4] with book k shifted by 1 + k, the special token elsewhere."""
    batch, books, steps = codes.shape
    out = torch.full((batch, books, steps + books), SPECIAL, dtype=torch.long)
    for k in range(books):
        out[:, k, 1 + k:1 + k + steps] = codes[:, k]
    return out


class CodeWindows:
    """Random windows of codes of a split with captions. Songs that end are not cropped behind their end."""

    def __init__(self, work, split, tokenizer, seed=0):
        self.codes, self.flags = codes_array(work, split)
        self.activity = workspace.array(work, "activity", split)
        self.split, self.tokenizer, self.rng = split, tokenizer, np.random.default_rng(seed)
        self.facts = {}
        self.by_ear = None
        if split == "train" and os.path.exists(os.path.join(work, "coded-loops.u8")):
            self.by_ear = sound_loops.arrays(work)
        self.refresh()

    def refresh(self):
        self.songs = np.flatnonzero(self.flags)

    def about(self, index):
        """The song without its notes."""
        if index not in self.facts:
            piece = song(self.split, int(index))
            piece.notes, piece.bars = {}, []
            self.facts[index] = piece
        return self.facts[index]

    def looped(self, codes):
        """A stretch of codes [4, steps] over and over, in half of the cases with up to 40 % of the codes of each turn replaced, and its period
        (0 for one that is no whole number of steps).

        Real songs repeat themselves too, but never code by code: what is played again falls differently between the steps, and a young model
        that has not yet learnt to look for what came before gains nothing by starting to. Loops make it worth its while (*ours*)."""
        steps = codes.shape[1]
        period = np.exp(self.rng.uniform(np.log(16), np.log(min(250, steps // 2))))
        whole = self.rng.random() < 0.5
        period = int(period) if whole else period      # bars do not last whole steps
        turns = codes[:, (np.arange(steps) % period).astype(int)]
        if self.rng.random() < 0.5:
            wrong = self.rng.random(turns.shape) < self.rng.uniform(0, 0.4)
            turns = np.where(wrong, self.rng.permuted(codes, axis=1), turns)
        return turns, period if whole else 0

    def draw(self, batch, steps, captions=True, loops=0.0):
        """codes [batch, 4, steps] int64 and a list of token ids of captions (empty where dropped by the caller). `loops`: share of loops, half of them loops of
        sound where `loops.py` has made some; their periods in steps, 0 for what is none, are kept in `periods`."""
        codes, texts, self.periods = [], [], []
        while len(codes) < batch:
            index = int(self.rng.choice(self.songs))
            at = int(self.rng.integers(0, workspace.STEPS - steps + 1))
            looped = loops and self.rng.random() < loops
            by_ear = looped and self.by_ear and self.by_ear[2][index] and self.rng.random() < 0.5
            source, activity = (self.by_ear[0], self.by_ear[1]) if by_ear else (self.codes, self.activity)
            active = activity[index, at:at + steps]
            if not active[-50:].any() and self.rng.random() < 0.8:
                continue
            stretch = source[index, :, at:at + steps].astype(np.int64)
            stretch, period = self.looped(stretch) if looped and not by_ear else (stretch, 0)
            codes.append(stretch)
            self.periods.append(period)
            if captions:
                groups = [g for n, g in enumerate(GROUPS) if active[:, n].mean() > 0.08]
                texts.append(self.tokenizer(caption(self.about(index), groups, random.Random(int(self.rng.integers(1 << 62))))))
        return torch.from_numpy(np.stack(codes)), texts


def pad(texts):
    """Token ids and mask [batch, longest]."""
    longest = max(len(t) for t in texts)
    ids = torch.zeros(len(texts), longest, dtype=torch.long)
    mask = torch.zeros(len(texts), longest, dtype=torch.long)
    for i, t in enumerate(texts):
        ids[i, :len(t)] = torch.tensor(t)
        mask[i, :len(t)] = 1
    return ids, mask
