"""The unit that players write and the renderer reads."""
from dataclasses import dataclass

GROUPS = ("drums", "bass", "guitar", "piano", "other")


@dataclass
class Note:
    """One note inside a bar: start and length in sixteenth steps from the bar line, MIDI pitch, velocity 1-127.

    `late` shifts it in seconds (a strum's strings).
    """

    start: float
    length: float
    pitch: int
    velocity: int
    late: float = 0.0


def accents(pattern):
    """Steps and velocities of a pattern string: X strong, x normal, o soft, anything else a rest."""
    return [(i, {"X": 112, "x": 92, "o": 58}[c]) for i, c in enumerate(pattern) if c in "Xxo"]
