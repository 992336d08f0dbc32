"""Loops of bars, as a player's looper makes them, encoded: `python -m Training.loops --work DIR [--house DIR] [--songs N]`.

One bar or two of each training song, from a bar line on, over and over for 32 s; the seam is crossfaded over 8 ms. A bar does not last a whole number of codec steps, so
each turn falls differently between the steps and has other codes: what `train_lm --loops` repeats code by code, these repeat by ear (*ours*).
At the end it says how many codes of each book are the same from one turn to the next: what a language model can find again. `train_lm --loops` takes half of its loops from here where there are any.
Writes codes-loops.i16, activity-loops.u8 and coded-loops.u8 like those of the songs; loops that are there are kept unless --again.
"""
import time

import numpy as np
import torch

from . import shapes, workspace
from .catalogue_plan import COUNTS, song
from .data import STEP
from .tokenise import codec_parser, encode, load_codec, memory_map, plain_weights

RATE, SEAM = 32000, 256


def arrays(work):
    """Memory maps of codes [songs, 4, 1600], activity [songs, 1600, 5] and flags [songs] of the training songs' loops."""
    n = COUNTS["train"]
    return (memory_map(work, "codes-loops.i16", np.int16, (n, shapes.BOOKS, workspace.STEPS)),
            memory_map(work, "activity-loops.u8", np.uint8, (n, workspace.STEPS, 5)), memory_map(work, "coded-loops.u8", np.uint8, (n,)))


def loop(audio, start, length, total=workspace.SAMPLES):
    """`length` samples from `start` on, repeated to `total` samples; what follows the stretch fades out over what it begins with."""
    turn = audio[start:start + length].astype(np.float32)
    behind = audio[start + length:start + length + SEAM].astype(np.float32)
    fade = np.sqrt(np.linspace(0, 1, len(behind), dtype=np.float32))
    again = turn.copy()
    again[:len(behind)] = again[:len(behind)] * fade + behind * fade[::-1]
    turns = -(-total // length)
    return np.concatenate([turn] + [again] * (turns - 1))[:total]


def stretch(piece, rng):
    """Start and length in samples of one bar or two of a song, inside its 32 s, from a bar line on; None where there is no room."""
    bar = piece.bar_seconds * RATE
    bars = int(rng.choice((1, 1, 2)))
    room = int((workspace.SAMPLES - SEAM) / bar) - bars
    if room < 0:
        return None
    return int(round(int(rng.integers(0, room + 1)) * bar)), int(round(bars * bar))


def main():
    parser = codec_parser(__doc__)
    parser.add_argument("--songs", type=int, default=COUNTS["train"], help="training songs that loops are taken from, at most")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    codec = plain_weights(load_codec(options.work, options.house))
    codes, activity, flags = arrays(options.work)
    if options.again:
        flags[:] = 0
    audio, active = workspace.array(options.work, "audio", "train"), workspace.array(options.work, "activity", "train")
    wanted = [int(i) for i in workspace.rendered(options.work, "train")[:options.songs] if not flags[i]]
    begin, count, batch, same = time.time(), 0, [], []

    def finish():
        found, _ = encode(codec, torch.from_numpy(np.stack([x for _, x, _ in batch]) / 32768))
        for (index, _, length), what in zip(batch, found.numpy().astype(np.int16)):
            codes[index], flags[index] = what, 1
            turn = round(length / STEP)
            same.append((what[:, turn:] == what[:, :-turn]).mean(1))
        batch.clear()

    for index in wanted:
        rng = np.random.default_rng((7, index))
        for _ in range(8):
            place = stretch(song("train", index), rng)
            if not place:
                break
            start, length = place
            steps = (start + np.arange(workspace.STEPS) * STEP % length) // STEP
            sounds = active[index, np.minimum(steps, workspace.STEPS - 1)]
            if sounds[:, 0].mean() > 0.5 or sounds.any(1).mean() > 0.9:
                break
        else:
            place = None
        if not place:
            continue
        activity[index] = sounds
        batch.append((index, loop(audio[index], start, length), length))
        if len(batch) == options.batch:
            finish()
        count += 1
        if count % 100 == 0:
            print(f"{count} loops, {count * 32 / (time.time() - begin):.0f} x real time", flush=True)
    if batch:
        finish()
    print(f"{count} loops in {time.time() - begin:.0f} s", flush=True)
    if same:
        print("the same code one turn later, per book: " + ", ".join(f"{100 * x:.1f} %" for x in np.mean(same, 0)), flush=True)


if __name__ == "__main__":
    main()
