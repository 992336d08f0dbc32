"""From dry stems to a mix: balance, room, level; and the truth of who sounds, from the energy of the placed stems.

The balance is set on each stem's own loudness while it plays, so that a quiet program is not a quiet instrument.
"""
import random

import numpy as np
from scipy.signal import fftconvolve

from .note import GROUPS

RATE = 32000
STEP = 640                     # 20 ms, one step of the codec
LEVEL = dict(drums=-19.0, bass=-20.5, guitar=-24.0, piano=-23.5, other=-24.5)   # dB RMS while playing
SILENT = -52.0                 # dB RMS of a stem in 20 ms below which it does not sound


def step_levels(x):
    """RMS of every 20 ms in dB. x: [samples], a multiple of 640 -> [steps]."""
    energy = np.square(x.reshape(-1, STEP)).mean(1)
    return 10 * np.log10(energy + 1e-12)


def room(rng, size):
    """An impulse response: exponentially decaying noise, darker towards its end; `size` in seconds to -60 dB."""
    noise = np.random.default_rng(rng.getrandbits(63))
    n = int(size * RATE)
    t = np.arange(n) / RATE
    tail = noise.standard_normal(n) * np.exp(-6.9 * t / size)
    smooth = 1 + int(3 + 6 * rng.random())
    tail = np.convolve(tail, np.hanning(smooth + 2)[1:-1], "same")
    tail[: int(0.004 * RATE + 0.016 * RATE * rng.random())] = 0
    return (tail / np.sqrt(np.square(tail).sum())).astype(np.float32)


def mix(song, stems):
    """The mix [samples] float32 within -1 ... 1, the placed stems, and activity [steps, 5] bool in the order of GROUPS."""
    name = f"continuo/{song.seed}/mix" + (f"/{song.variation}" if song.variation == "mix" else "")
    rng = random.Random(name)
    wet = {g: rng.uniform(0.0, 0.16) for g in GROUPS}
    wet["bass"] *= 0.3
    impulse = room(rng, rng.uniform(0.25, 1.3))
    trim = {g: rng.uniform(-3.5, 3.0) for g in GROUPS}
    placed = {}
    for g in GROUPS:
        x = stems[g]
        levels = step_levels(x)
        playing = levels > max(-70.0, levels.max() - 40.0)
        if levels.max() < -80 or not playing.any():
            placed[g] = np.zeros_like(x)
            continue
        loud = 10 * np.log10(np.mean(10 ** (levels[playing] / 10)))
        x = x * 10 ** ((LEVEL[g] + trim[g] - loud) / 20)
        if wet[g] > 0.02:
            x = x + wet[g] * fftconvolve(x, impulse)[: len(x)].astype(np.float32)
        placed[g] = x.astype(np.float32)
    total = sum(placed.values())
    gain = 10 ** (rng.uniform(-1.5, 3.0) / 20)
    peak = np.abs(total).max() * gain
    if peak > 0.93:
        gain *= 0.93 / peak if peak < 1.25 else 0.744
        total = soft(total * gain)
    else:
        total = total * gain
    placed = {g: x * gain for g, x in placed.items()}
    activity = np.stack([step_levels(placed[g]) > SILENT for g in GROUPS], 1)
    return total.astype(np.float32), placed, activity


def soft(x):
    """A limiter without memory: linear below 0.7, bending towards 1."""
    y = x.copy()
    over = np.abs(x) > 0.7
    y[over] = np.sign(x[over]) * (0.7 + 0.28 * np.tanh((np.abs(x[over]) - 0.7) / 0.28))
    return y
