"""Piano idioms: comping, block chords, broken chords, stride, montuno, stabs."""
from .note import Note, accents
from .theory import place, voice

LOW, HIGH = 52, 79

RHYTHMS = {
    "block": ["X...............", "X.......x.......", "X...x...x...x..."],
    "eighths": ["X.x.x.x.x.x.x.x.", "X.x.x..xx.x.x.x.", "x...x.x...x.x..."],
    "clav": ["x..xo.x..o.x..x.", "X.ox..xo..ox.xo.", "x.x..x.ox..x..o."],
    "comp": ["x.....x.........", "..x.......x..x..", "......x.......x.", "x..x......x.....", "....x..x....x..."],
    "bubble": ["..x.x...  x.x...".replace(" ", ""), "x.x.x.x.x.x.x.x."],
    "stabs": ["x..x..x...x..x..", "..x..x..x..x..x.", "X..x...x..x.x..."],
}
SHORT = {"clav": 0.8, "bubble": 1.2, "stabs": 1.3}


def choose(rng, idiom):
    n = len(RHYTHMS.get(idiom, [0, 1, 2]))
    return dict(A=rng.randrange(n), B=rng.randrange(n), low=rng.choice((-3, 0, 0, 4)), left=rng.random() < 0.6)


def bar(rng, idiom, plan, part, chords, following, steps, previous):
    """Notes of a bar and the voicing to move on from."""
    notes, voicing = [], previous
    spans = list(zip(chords, [s for s, _ in chords[1:]] + [steps]))
    for (start, chord), end in spans:
        voicing = voice(chord, LOW + plan["low"], HIGH + plan["low"], previous=voicing)
        root = place(chord.root, 36, 48)
        if idiom == "broken":
            order = [voicing[0], voicing[1], voicing[-1], voicing[1]]
            for n, step in enumerate(range(start, end, 2)):
                notes.append(Note(step, 3, order[n % 4] + (12 if n % 8 == 6 and plan[part] == 1 else 0), 78 if n % 4 == 0 else 64))
            notes.append(Note(start, end - start, root, 80))
        elif idiom in ("stride", "waltz"):
            for n, step in enumerate(range(start, end, 4)):
                strong = step % 12 == 0 if idiom == "waltz" else (step // 4) % 2 == 0
                if strong:
                    notes.append(Note(step, 3, root if step == start else place(chord.fifth, 36, 48), 86))
                else:
                    notes += [Note(step, 1.8, p, 72) for p in voicing]
        elif idiom == "montuno":
            pattern = "x..x.xx.x.x.x.x." if plan[part] == 0 else "x.x.x..x.xx.x.x."
            cycle = [voicing[0], voicing[-1], voicing[1], voicing[-1], voicing[0] + 12]
            for n, (step, velocity) in enumerate([(s, v) for s, v in accents(pattern) if start <= s < end]):
                pitch = cycle[n % len(cycle)]
                notes.append(Note(step, 1.4, pitch, velocity))
                notes.append(Note(step, 1.4, pitch + (12 if pitch < 72 else -12), velocity - 12))
        else:
            pattern = RHYTHMS[idiom][plan[part] if rng.random() > 0.15 else rng.randrange(len(RHYTHMS[idiom]))]
            hits = [(s, v) for s, v in accents(pattern[:steps]) if start <= s < end]
            if not hits and idiom in ("comp", "block") and rng.random() < 0.7:
                hits = [(start, 86)]
            for n, (step, velocity) in enumerate(hits):
                ring = (hits[n + 1][0] if n + 1 < len(hits) else end) - step
                length = SHORT.get(idiom, min(ring * 0.95, 6 if idiom == "comp" else 16))
                notes += [Note(step, length, p, velocity - 14 + rng.randrange(6)) for p in voicing]
            if plan["left"] and idiom in ("block", "eighths", "stabs", "comp"):
                notes.append(Note(start, (end - start) * 0.9, root, 76))
    return notes, voicing
