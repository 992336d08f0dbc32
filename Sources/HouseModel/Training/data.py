"""Windows of audio with their truth, from the memory maps of workspace.py."""
import numpy as np
import torch

from . import workspace

STEP = 640


class Windows:
    """Random windows of `steps` codec steps from the rendered songs of a split.

    `draw(n)` -> audio [n, 1, steps * 640] float32 in -1 ... 1 and activity [n, steps, 5] float32; `places` then says which song each is from,
    and from which step on.
    """

    def __init__(self, work, split, steps, seed=0, quietest=-45.0):
        self.audio = workspace.array(work, "audio", split)
        self.activity = workspace.array(work, "activity", split)
        self.work, self.split, self.steps, self.quietest = work, split, steps, quietest
        self.rng = np.random.default_rng(seed)
        self.refresh()

    def refresh(self):
        """Looks again which songs are rendered."""
        self.songs = workspace.rendered(self.work, self.split)

    def draw(self, n, copies=0):
        """The last `copies` windows are the first ones, moved by a part of a step to either side."""
        audio, activity, self.places = [], [], []
        while len(audio) < n:
            song = self.rng.choice(self.songs)
            at = int(self.rng.integers(0, workspace.STEPS - self.steps + 1))
            x = self.audio[song, at * STEP:(at + self.steps) * STEP].astype(np.float32) / 32768
            if 10 * np.log10(np.mean(x * x) + 1e-12) < self.quietest:
                continue
            audio.append(x)
            self.places.append((int(song), at))
            activity.append(self.activity[song, at:at + self.steps].astype(np.float32))
            if len(audio) == n - copies:
                break
        for song, at in self.places[:copies]:
            first = at * STEP + int(self.rng.integers(-STEP // 2, STEP // 2 + 1))
            first = min(max(first, 0), (workspace.STEPS - self.steps) * STEP)
            audio.append(self.audio[song, first:first + self.steps * STEP].astype(np.float32) / 32768)
            activity.append(self.activity[song, at:at + self.steps].astype(np.float32))
        return torch.from_numpy(np.stack(audio))[:, None], torch.from_numpy(np.stack(activity))
