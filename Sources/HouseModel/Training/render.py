"""Renders the catalogue: `python -m Training.render --work DIR [--workers 2] [--limit N]`. Songs that are there are kept.

Order: 300 training songs and 60 of each other split first, so that the codec can start; then the rest.
"""
import argparse
import multiprocessing
import time

import numpy as np

from . import workspace
from .catalogue_plan import COUNTS, song
from .mixing import mix
from .song import SECONDS
from .synth import Synth

_synth = None


def render_one(job):
    """Renders one track into the memory maps. job: (work, split, index)."""
    global _synth
    work, split, index = job
    if _synth is None:
        _synth = Synth()
    piece = song(split, index)
    audio, _, activity = mix(piece, _synth.render(piece, SECONDS))
    workspace.array(work, "audio", split)[index] = np.round(audio * 32767).astype(np.int16)
    workspace.array(work, "activity", split)[index] = activity
    workspace.array(work, "done", split)[index] = 1
    return split, index


def order(limit):
    """All tracks, those wanted first in front."""
    first = [("train", i) for i in range(300)] + [(s, i) for s in ("validation", "test") for i in range(60)]
    rest = [(s, i) for s in ("train", "validation", "test") for i in range(COUNTS[s])]
    seen, out = set(), []
    for job in first + rest:
        if job not in seen:
            seen.add(job)
            out.append(job)
    return out[:limit] if limit else out


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    workspace.add_option(parser)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--limit", type=int, default=0)
    options = parser.parse_args()
    done = {s: workspace.array(options.work, "done", s) for s in COUNTS}
    for split in COUNTS:
        for kind in ("audio", "activity"):
            workspace.array(options.work, kind, split)
    jobs = [(options.work, s, i) for s, i in order(options.limit) if not done[s][i]]
    begin = time.time()
    with multiprocessing.get_context("spawn").Pool(options.workers) as pool:
        for n, _ in enumerate(pool.imap(render_one, jobs, chunksize=4), 1):
            if n % 50 == 0 or n == len(jobs):
                spent = time.time() - begin
                print(f"{n}/{len(jobs)} songs, {spent:.0f} s, {n * SECONDS / spent:.0f} x real time", flush=True)


if __name__ == "__main__":
    main()
