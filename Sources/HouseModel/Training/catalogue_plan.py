"""Which songs there are: track numbers to seeds, splits, and the relatives among the training songs."""
from .song import VARIATIONS, compose

COUNTS = dict(train=2400, validation=200, test=200)
RELATIVE_EVERY = 20            # of the training songs every twentieth is a relative of the one before: 120 in all


def plan(split, index):
    """(seed, variation, index of the relative or None) of a track."""
    if split == "train" and index % RELATIVE_EVERY == RELATIVE_EVERY - 1:
        return f"{split}/{index - 1}", VARIATIONS[(index // RELATIVE_EVERY) % 4], index - 1
    return f"{split}/{index}", "", None


def song(split, index):
    """The composed song of a track."""
    seed, variation, _ = plan(split, index)
    return compose(seed, variation)
