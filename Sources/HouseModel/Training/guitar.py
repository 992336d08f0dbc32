"""Guitar idioms: strums, picking, power chords, off-beat chops and riffs."""
from .note import Note, accents
from .theory import place, scale_step, voice

LOW, HIGH = 45, 72

STRUMS = {
    "strum": ["X...x.x...x.x.x.", "X.x.x.x.X.x.x.x.", "X.....x.X.x...x."],
    "chops": ["..X...X...X...X.", "x.o.x..xo.x..xo.", "X..x..x...x..x..", "..oX..x.o.X..xo."],
    "skank": ["....X.......X...", "..X...X...X...X.", "....Xx......Xx.."],
    "four": ["x...X...x...X..."],
    "bossa": ["x..x..x...x..x..", "x.x...x..x..x...", "..x..x..x..x..x."],
    "backbeat": ["....X.......X...", "....X..o....X.o."],
    "power": ["X.x.x.x.X.x.x.x.", "X.....X...X.....", "X..x..x.X...x.x.", "X..............."],
}
SHORT = {"chops": 0.7, "skank": 1.1, "four": 2.2, "backbeat": 1.2}
PICKS = ["0123212301232123", "0.1.2.3.2.1.2.1.", "0.2.1.3.0.2.1.3.", "0..12..30..12.3."]


def choose(rng, idiom):
    """The player's plan, with a two-bar riff of steps above the root where the idiom wants one."""
    riff = []
    step = 0
    while step < 16:
        if rng.random() < 0.75 or step == 0:
            riff.append((step, rng.choice((0, 0, 2, 3, 4, 5, 7)), rng.choice((1, 2))))
        step += rng.choice((1, 2, 2, 2, 3))
    n = len(STRUMS.get(idiom, PICKS))
    return dict(A=rng.randrange(n), B=rng.randrange(n), riff=riff, high=rng.choice((0, 0, 4)))


def bar(rng, idiom, plan, part, chords, following, steps, previous):
    """Notes of a bar and the voicing to move on from."""
    notes, voicing = [], previous
    spans = list(zip(chords, [s for s, _ in chords[1:]] + [steps]))
    for (start, chord), end in spans:
        low, high = LOW + plan["high"], HIGH + plan["high"]
        if idiom == "power":
            root = place(chord.root, 40, 51)
            voicing = [root, root + 7, root + 12]
        else:
            voicing = voice(chord, low + 4, high, previous=voicing, size=4)
            if idiom in ("strum", "boom-chick", "arpeggio", "bossa"):
                voicing = [place(chord.root, 40, 51)] + voicing
        if idiom == "arpeggio":
            pattern = PICKS[plan[part]]
            for step in range(start, end):
                c = pattern[step % 16]
                if c != ".":
                    notes.append(Note(step, min(4, end - step), voicing[int(c) % len(voicing)], 84 if step % 4 == 0 else 70))
        elif idiom == "boom-chick":
            for step in range(start, end, 4):
                if (step // 4) % 2 == 0:
                    notes.append(Note(step, 3, voicing[0] if step % 16 < 8 else place(chord.fifth, 40, 51), 92))
                else:
                    notes += strum(voicing[1:], step, 1.6, 84, down=True)
        elif idiom == "riff":
            root = place(chord.root, 48, 59)
            for step, up, length in plan["riff"]:
                if start <= step < end:
                    pitch = scale_step(root, up, chord.scale) if up else root
                    notes.append(Note(step, length * 0.95, pitch, 94 if step % 4 == 0 else 80))
            if rng.random() < 0.3 and end == steps:
                notes += strum(voicing, steps - 4, 2, 80, down=True)
        else:
            pattern = STRUMS[idiom][plan[part] if rng.random() > 0.08 else rng.randrange(len(STRUMS[idiom]))]
            hits = [(s, v) for s, v in accents(pattern[:steps]) if start <= s < end]
            for n, (step, velocity) in enumerate(hits):
                ring = (hits[n + 1][0] if n + 1 < len(hits) else end) - step
                length = SHORT.get(idiom, ring * 0.95)
                if idiom == "power":
                    length = ring * (0.95 if ring > 2 else 0.75)
                notes += strum(voicing, step, length, velocity - 10, down=step % 4 == 0)
    return notes, voicing


def strum(pitches, step, length, velocity, down):
    """A chord whose strings sound one after another, about 8 ms apart."""
    order = pitches if down else pitches[::-1]
    return [Note(step, length, p, max(30, velocity - 3 * n), late=0.008 * n) for n, p in enumerate(order)]
