"""Drum idioms: patterns of one bar per voice on a grid of sixteenths, with variants, ghosts and fills."""
from .note import Note, accents

KICK, SNARE, RIM, CLAP, HAT, PEDAL, OPEN, RIDE, BELL, CRASH, LOW, MID, HIGH = 36, 38, 37, 39, 42, 44, 46, 51, 53, 49, 45, 47, 50
COWBELL, CONGA_LOW, CONGA_HIGH, CONGA_MUTE, SHAKER, TAMBOURINE, TIMBALE, CLAVE = 56, 64, 63, 62, 70, 54, 65, 75

# name: list of variants, each a list of (voice, pattern); 16 steps to a bar of four, 12 to a bar of three.
IDIOMS = {
    "rock": [
        [(KICK, "X.......X.x....."), (SNARE, "....X.......X..."), (HAT, "X.x.X.x.X.x.X.x.")],
        [(KICK, "X.....x.X......."), (SNARE, "....X.......X..."), (RIDE, "X.x.x.x.X.x.x.x.")],
        [(KICK, "X..x..x...x....."), (SNARE, "....X.......X..o"), (HAT, "x.x.x.x.x.x.x..."), (OPEN, "..............x.")],
        [(KICK, "X.x...x.X.x....."), (SNARE, "....X.......X..."), (CRASH, "x...x...x...x...")],
    ],
    "pop": [
        [(KICK, "X.....x.X......."), (SNARE, "....X.......X..."), (HAT, "x.o.x.o.x.o.x.o.")],
        [(KICK, "X...x...X...x..."), (SNARE, "....X.......X..."), (HAT, "..x...x...x...x."), (TAMBOURINE, "o.o.x.o.o.o.x.o.")],
        [(KICK, "X..x..x.....x..."), (CLAP, "....X.......X..."), (HAT, "xoxoxoxoxoxoxoxo")],
    ],
    "funk": [
        [(KICK, "X..x..x...x..x.."), (SNARE, "....X..o.o..X..o"), (HAT, "x.xox.x.x.xox.x.")],
        [(KICK, "X.x.......xx...."), (SNARE, "....X..o.o.oX..."), (HAT, "xoxoxoxoxoxoxoxo")],
        [(KICK, "X.....x..x....x."), (SNARE, ".o..X.....o.X.o."), (HAT, "x.x.x.x.x.x.x..."), (OPEN, "..............x.")],
    ],
    "shuffle": [
        [(KICK, "X.......X......."), (SNARE, "....X.......X..."), (RIDE, "x.x.x.x.x.x.x.x.")],
        [(KICK, "X.....x.X.....x."), (SNARE, "..o.X.o...o.X.o."), (HAT, "x.x.x.x.x.x.x.x.")],
        [(KICK, "X...x...X...x..."), (SNARE, "....X.......X..."), (HAT, "x.x.x.x.x.x.x.x.")],
    ],
    "swing": [
        [(RIDE, "x...x.x.x...x.x."), (PEDAL, "....x.......x..."), (KICK, "o.......o......."), (SNARE, "......o........o")],
        [(RIDE, "x...x.x.x...x.x."), (PEDAL, "....x.......x..."), (SNARE, "..o.......o....."), (KICK, "......o.......o.")],
        [(HAT, "x...x.x.x...x.x."), (KICK, "o...o...o...o..."), (RIM, "............x...")],
    ],
    "bossa": [
        [(KICK, "X..xx..xX..xx..x"), (RIM, "x..x..x...x..x.."), (HAT, "oooooooooooooooo")],
        [(KICK, "X..xx..xX..xx..x"), (RIM, "..x...x..x..x..."), (SHAKER, "x.o.x.o.x.o.x.o.")],
    ],
    "one drop": [
        [(KICK, "........X......."), (RIM, "........X......."), (HAT, "x.x.x.x.x.x.x.x.")],
        [(KICK, "X.......X......."), (RIM, "....o...X.....o."), (HAT, "x.xox.x.x.xox.x.")],
        [(KICK, "X...X...X...X..."), (SNARE, "........X......."), (HAT, "..x...x...x...x.")],
    ],
    "four on the floor": [
        [(KICK, "X...X...X...X..."), (CLAP, "....X.......X..."), (OPEN, "..x...x...x...x.")],
        [(KICK, "X...X...X...X..."), (CLAP, "....X.......X..."), (HAT, "xoxoxoxoxoxoxoxo"), (SHAKER, "oooooooooooooooo")],
        [(KICK, "X...X...X...X..x"), (SNARE, "....X.......X..o"), (OPEN, "..x...x...x...x."), (TAMBOURINE, "....x..o....x...")],
    ],
    "ballad": [
        [(KICK, "X.........x....."), (SNARE, "........X......."), (HAT, "x.x.x.x.x.x.x.x.")],
        [(KICK, "X......xX......."), (RIM, "....x.......x..."), (HAT, "x...o...x...o...")],
        [(KICK, "X.........x....."), (SNARE, "....x.......x..."), (RIDE, "x.x.x.x.x.x.x.x.")],
    ],
    "train": [
        [(KICK, "X...x...X...x..."), (SNARE, "oooxooXooooxooXo")],
        [(KICK, "X.......X......."), (SNARE, "....X.......X..."), (HAT, "..x...x...x...x.")],
        [(KICK, "X.......X......."), (SNARE, "o.oox.ooo.oox.oo"), (TAMBOURINE, "....x.......x...")],
    ],
    "salsa": [
        [(CONGA_MUTE, "....x..........."), (CONGA_HIGH, "......x........."), (CONGA_LOW, "............x.x."), (COWBELL, "X...x.x.x...x.x."), (CLAVE, "x.....x.....x..."), (KICK, "......x.....x...")],
        [(CONGA_MUTE, "..x.....x......."), (CONGA_LOW, "............x.x."), (TIMBALE, "o.o.x.o.o.o.x.o."), (CLAVE, "....x...x......."), (COWBELL, "x...x...x...x...")],
    ],
    "boom bap": [
        [(KICK, "X......x..x....."), (SNARE, "....X.......X..."), (HAT, "x.x.x.x.x.x.x.x.")],
        [(KICK, "X.x.......x..x.."), (SNARE, "....X.......X..o"), (HAT, "x.xox.x.x.x.xox.")],
        [(KICK, "X.........X.x..."), (CLAP, "....X.......X..."), (HAT, "xxx.x.xxx.x.x.xx")],
    ],
    "waltz": [
        [(KICK, "X..........."), (SNARE, "....o...o..."), (RIDE, "x...x...x.x.")],
        [(KICK, "X..........."), (PEDAL, "....x...x..."), (RIDE, "x...x.x.x...")],
        [(KICK, "X.......o..."), (SNARE, "....x...x..."), (HAT, "x.x.x.x.x.x.")],
    ],
    "motown": [
        [(KICK, "X..x....X..x...."), (SNARE, "X...X...X...X..."), (TAMBOURINE, "o.o.x.o.o.o.x.o.")],
        [(KICK, "X.....x.X.x....."), (SNARE, "....X.......X..."), (HAT, "x.x.x.x.x.x.x.x."), (TAMBOURINE, "....x.......x...")],
        [(KICK, "X..x..x.X......."), (SNARE, "....X..o....X..."), (HAT, "xoxoxoxoxoxoxoxo")],
    ],
}


def choose(rng, idiom):
    """The player's plan: a variant for each part of the song and the kind of fill."""
    variants = IDIOMS[idiom]
    return dict(A=rng.randrange(len(variants)), B=rng.randrange(len(variants)), fill=rng.randrange(5), busy=rng.random())


def bar(rng, idiom, plan, part, steps, first, last, previous=None):
    """One bar of drums. `first`: a section opens here (crash). `last`: it ends here (fill)."""
    notes = []
    swap = rng.random() < 0.06
    variants = IDIOMS[idiom]
    for voice, pattern in variants[(plan[part] + swap) % len(variants)]:
        for step, velocity in accents(pattern[:steps]):
            if voice == SNARE and velocity == 58:
                velocity = 40
            notes.append(Note(step, 1, voice, velocity))
    soft = idiom in ("swing", "bossa", "waltz", "ballad")
    if last and rng.random() < 0.75:
        length = 8 if rng.random() < 0.4 else 4
        start = steps - length
        notes = [n for n in notes if n.start < start or n.pitch in (KICK, PEDAL, CLAVE)]
        notes += fill(rng, plan["fill"], start, steps, soft)
    elif rng.random() < 0.12 * (0.5 + plan["busy"]):
        notes.append(Note(rng.choice([s for s in range(1, steps, 2)]), 1, KICK, 70))
    if first and rng.random() < 0.8:
        notes = [n for n in notes if not (n.start == 0 and n.pitch in (HAT, RIDE, OPEN))]
        notes.append(Note(0, 4, CRASH, 70 if soft else 104))
    return notes


def fill(rng, kind, start, steps, soft):
    """A fill from `start` to the bar line."""
    drums = [(SNARE,), (SNARE, HIGH, MID, LOW), (HIGH, HIGH, MID, LOW), (SNARE, KICK), (SNARE, SNARE, LOW, LOW)][kind]
    every = 2 if soft or rng.random() < 0.3 else 1
    notes = []
    places = list(range(start, steps, every))
    for n, step in enumerate(places):
        if rng.random() < 0.12:
            continue
        drum = drums[min(len(drums) - 1, n * len(drums) // len(places))] if kind != 3 else drums[n % 2]
        notes.append(Note(step, 1, drum, (60 if soft else 84) + int(24 * n / len(places))))
    return notes
