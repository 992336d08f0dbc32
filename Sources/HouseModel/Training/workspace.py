"""The folder of everything that is made from seeds and may be deleted: renderings, codes, checkpoints, logs.

audio-SPLIT.i16      [songs, 1024000] int16, 32 s of 32 kHz mono per song
activity-SPLIT.u8    [songs, 1600, 5] one byte per group and 20 ms: 1 where the group's stem sounds
done-SPLIT.u8        [songs] 1 where a song is rendered
"""
import os

import numpy as np

from .catalogue_plan import COUNTS

SAMPLES, STEPS = 1024000, 1600


def add_option(parser):
    parser.add_argument("--work", default=".house-work", help="folder of renderings and checkpoints (default: .house-work)")


def array(work, kind, split):
    """A memory map, made when it is not there yet (sparse until written)."""
    n = COUNTS[split]
    name, dtype, shape = dict(audio=("audio-%s.i16", np.int16, (n, SAMPLES)), activity=("activity-%s.u8", np.uint8, (n, STEPS, 5)), done=("done-%s.u8", np.uint8, (n,)))[kind]
    path = os.path.join(work, name % split)
    os.makedirs(work, exist_ok=True)
    if not os.path.exists(path):
        with open(path, "wb") as f:
            f.truncate(int(np.prod(shape)) * np.dtype(dtype).itemsize)
    return np.memmap(path, dtype, "r+", shape=shape)


def rendered(work, split):
    """Indices of the songs that are rendered."""
    return np.flatnonzero(array(work, "done", split))
