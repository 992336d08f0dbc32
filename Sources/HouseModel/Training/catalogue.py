"""Writes the shipped catalogue: `python -m Training.catalogue --work DIR --out DIR`, and the songs that examine: `--split test --out DIR`.

catalogue.json      format, licence, maker, and one entry per track: id, title, artist, licence, tags, seconds, split, seed, style,
                    bpm, key, programs, sections (from bar lines), activity per group as [first, last + 1] in steps of 20 ms (gaps shorter than
                    half a second closed), and where there is one, relative: {of: id, kind: mix | tempo | key | instruments}
codes.safetensors   one int16 tensor [4, 1600] per track, named by its id: codes of the house codec, 50 steps a second
"""
import argparse
import json
import os
import random

import numpy as np
from safetensors.numpy import save_file

from . import workspace
from .captions import caption
from .catalogue_plan import plan, song
from .note import GROUPS
from .song import SECONDS
from .tokenise import codes_array

GAP = 25


def track_id(split, index):
    return f"house-{split}-{index:04d}"


def runs(active):
    """[steps] of 0 and 1 -> list of [first, last + 1], gaps below half a second closed."""
    places = np.flatnonzero(active)
    if not len(places):
        return []
    breaks = np.flatnonzero(np.diff(places) > GAP)
    starts = np.concatenate([places[:1], places[breaks + 1]])
    ends = np.concatenate([places[breaks], places[-1:]]) + 1
    return [[int(a), int(b)] for a, b in zip(starts, ends)]


def entry(split, index, activity):
    """The catalogue's entry of a track. activity: [steps, 5]."""
    piece = song(split, index)
    seed, variation, of = plan(split, index)
    groups = [g for n, g in enumerate(GROUPS) if activity[:, n].mean() > 0.02]
    out = dict(
        id=track_id(split, index), title=f"{piece.style.capitalize()} in {piece.key_name}, no. {index}", artist="Continuo house band", licence="CC0-1.0",
        tags=caption(piece, groups, random.Random(f"continuo/{seed}/{variation}/tags")), seconds=SECONDS, split=split, seed=seed, style=piece.style, bpm=piece.bpm,
        key=piece.key_name, programs=piece.programs, activity={g: runs(activity[:, n]) for n, g in enumerate(GROUPS)},
        sections=[dict(seconds=round(s.start * piece.bar_seconds, 2), kind=s.kind, groups=list(s.groups)) for s in piece.sections if s.start * piece.bar_seconds < SECONDS])
    if of is not None:
        out["relative"] = dict(of=track_id(split, of), kind=variation)
    return out


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    workspace.add_option(parser)
    parser.add_argument("--split", default="train")
    parser.add_argument("--songs", type=int, help="at most so many songs, the first ones")
    parser.add_argument("--out", required=True)
    options = parser.parse_args()
    codes, flags = codes_array(options.work, options.split)
    activity = workspace.array(options.work, "activity", options.split)
    tracks, tensors = [], {}
    for index in np.flatnonzero(flags)[:options.songs]:
        tracks.append(entry(options.split, int(index), activity[index]))
        tensors[tracks[-1]["id"]] = np.ascontiguousarray(codes[index])
    known = set(tensors)
    for track in tracks:
        if track.get("relative", {}).get("of") not in known:
            track.pop("relative", None)
    os.makedirs(options.out, exist_ok=True)
    note = dict(format="continuo-catalogue", version=1, name="The house band's catalogue", maker="Continuo house band", licence="CC0-1.0", model="house", sampling_rate=32000, steps_per_second=50, books=4, cardinality=1024, groups=list(GROUPS))
    with open(os.path.join(options.out, "catalogue.json"), "w") as f:
        head = json.dumps(note)[:-1]
        f.write(head + ', "tracks": [\n' + ",\n".join(json.dumps(t, separators=(",", ":")) for t in tracks) + "\n]}\n")
    save_file(tensors, os.path.join(options.out, "codes.safetensors"), metadata=dict(format="continuo-catalogue", version="1", licence="CC0-1.0"))
    print(len(tracks), "tracks,", sum("relative" in t for t in tracks), "relatives,", {n: os.path.getsize(os.path.join(options.out, n)) for n in os.listdir(options.out)})


if __name__ == "__main__":
    main()
