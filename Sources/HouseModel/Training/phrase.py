"""The example phrase that ships: `python -m Training.phrase --out FILE.flac`. Twelve seconds of a test song's band without its drums.

The song's arrangement is overridden for the phrase: bass, guitar and piano play from the first bar on, drums never, so that a drums knob has
something to do. Mono, 48 kHz, 16 bit.
"""
import argparse

import numpy as np
from scipy.signal import resample_poly

from .mixing import mix
from .song import Section, compose, write_parts
from .styles import STYLES
from .synth import Synth

SECONDS = 12.0


def phrase(seed, groups):
    """The song of a seed with one section in which `groups` play."""
    import random
    piece = compose(seed)
    bars = int(SECONDS / piece.bar_seconds) + 2
    piece.sections = [Section(0, bars, "verse", "A", groups)]
    piece.ends = False
    piece.bars = (piece.bars[:4] * bars)[:bars]
    write_parts(piece, STYLES[piece.style], lambda name: random.Random(f"continuo/{seed}/{name}"))
    return piece


def main():
    import soundfile
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", default="test/phrase-51")
    parser.add_argument("--groups", default="bass,guitar,piano")
    parser.add_argument("--out", required=True)
    options = parser.parse_args()
    piece = phrase(options.seed, tuple(options.groups.split(",")))
    audio, _, activity = mix(piece, Synth().render(piece, SECONDS + 1.6))
    audio = audio[: int(SECONDS * 32000)].copy()
    audio[-320:] *= np.linspace(1, 0, 320)
    soundfile.write(options.out, resample_poly(audio, 3, 2), 48000, subtype="PCM_16")
    print(piece.style, piece.bpm, piece.key_name, piece.programs, "activity", activity.mean(0).round(2))


if __name__ == "__main__":
    main()
