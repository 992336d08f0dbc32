"""Renderings as FLAC files named after their tracks, for listening and for `continuo evaluate codec`: `python -m Training.recordings --work DIR --split test --out DIR`."""
import argparse
import os

import soundfile

from . import workspace
from .catalogue import track_id


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    workspace.add_option(parser)
    parser.add_argument("--split", default="test")
    parser.add_argument("--songs", type=int, help="at most so many, the first ones")
    parser.add_argument("--out", required=True)
    options = parser.parse_args()
    audio = workspace.array(options.work, "audio", options.split)
    os.makedirs(options.out, exist_ok=True)
    for index in workspace.rendered(options.work, options.split)[:options.songs]:
        soundfile.write(os.path.join(options.out, track_id(options.split, int(index)) + ".flac"), audio[index], 32000)


if __name__ == "__main__":
    main()
