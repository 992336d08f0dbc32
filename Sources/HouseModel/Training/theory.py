"""Pitch: keys, modes, chords and their voicings.

Pitches are MIDI numbers, pitch classes 0-11 with 0 = C. A chord symbol is a degree of the mode, 1-7,
optionally flattened ("b7"), with "7" for the diatonic seventh chord, "d" for a dominant seventh built on
the degree whatever the mode says, "s" for a suspended fourth.
"""
from dataclasses import dataclass
import re

NOTE_NAMES = ["c", "c#", "d", "eb", "e", "f", "f#", "g", "ab", "a", "bb", "b"]

MODES = {
    "major": (0, 2, 4, 5, 7, 9, 11),
    "minor": (0, 2, 3, 5, 7, 8, 10),
    "dorian": (0, 2, 3, 5, 7, 9, 10),
    "phrygian": (0, 1, 3, 5, 7, 8, 10),
    "lydian": (0, 2, 4, 6, 7, 9, 11),
    "mixolydian": (0, 2, 4, 5, 7, 9, 10),
}


def is_minor(mode):
    """Whether the mode's third is minor."""
    return MODES[mode][2] == 3


@dataclass(frozen=True)
class Chord:
    """A chord: root pitch class, intervals above it in semitones, and the scale that melodies use over it."""

    root: int
    intervals: tuple
    scale: tuple

    @property
    def tones(self):
        return tuple((self.root + i) % 12 for i in self.intervals)

    @property
    def fifth(self):
        return (self.root + (self.intervals[2] if len(self.intervals) > 2 else 7)) % 12

    @property
    def third(self):
        return (self.root + self.intervals[1]) % 12


def chord(symbol, key, mode):
    """The chord of a symbol such as "2-", "b7", "5d" in a key (pitch class) and mode."""
    found = re.fullmatch(r"(b?)([1-7])([7ds]?)", symbol)
    if not found:
        raise ValueError(f"chord symbol {symbol!r}: expected a degree 1-7, optional leading b, optional 7, d or s")
    flat, degree, kind = found[1], int(found[2]) - 1, found[3]
    scale = MODES[mode]
    steps = [scale[(degree + n) % 7] + 12 * ((degree + n) // 7) for n in (0, 2, 4, 6)]
    intervals = tuple(s - steps[0] for s in steps)
    root = (key + steps[0] - (1 if flat else 0)) % 12
    if flat:
        intervals = (0, 4, 7, 11)
    if kind == "d":
        intervals = (0, 4, 7, 10)
    elif kind == "s":
        intervals = (0, 5, 7)
    elif kind == "":
        intervals = intervals[:3]
    tones = {(root + i) % 12 for i in intervals}
    melody = tuple(sorted(tones | {p for p in ((key + s) % 12 for s in scale) if not any((p - t) % 12 in (1, 11) for t in tones)}))
    return Chord(root, intervals, melody)


def place(pitch_class, low, high, near=None):
    """The pitch of a class inside [low, high], nearest to `near` (default: the middle of the range)."""
    near = (low + high) / 2 if near is None else near
    options = [p for p in range(low, high + 1) if p % 12 == pitch_class % 12]
    if not options:
        options = [low + (pitch_class - low) % 12]
    return min(options, key=lambda p: abs(p - near))


def voice(chord_, low, high, previous=None, size=None):
    """A close voicing of the chord inside [low, high], the one that moves least from `previous`."""
    tones = list(chord_.tones)[: size or len(chord_.intervals)]
    best, best_cost = None, None
    for turn in range(len(tones)):
        order = tones[turn:] + tones[:turn]
        for base in range(low, high):
            if base % 12 != order[0]:
                continue
            pitches = [base]
            for tone in order[1:]:
                pitches.append(pitches[-1] + ((tone - pitches[-1]) % 12 or 12))
            if pitches[-1] > high:
                continue
            if previous:
                cost = sum(min(abs(p - q) for q in previous) for p in pitches)
            else:
                cost = abs(sum(pitches) / len(pitches) - (low + high) / 2)
            if best is None or cost < best_cost:
                best, best_cost = pitches, cost
    return best or [place(t, low, high) for t in tones]


def scale_step(pitch, steps, scale):
    """Moves a pitch by a number of steps of a scale (a set of pitch classes)."""
    direction = 1 if steps > 0 else -1
    while pitch % 12 not in scale:
        pitch += direction
    for _ in range(abs(steps)):
        pitch += direction
        while pitch % 12 not in scale:
            pitch += direction
    return pitch
