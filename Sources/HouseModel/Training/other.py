"""Strings, organ, winds and leads: pads that hold the chords, stabs, and melodies built from a motif."""
from .note import Note
from .theory import place, scale_step, voice


def choose(rng, pad, meter):
    """The plan of a part: what it does and, for melodies, a motif (step, length, move) for each part of the song."""
    return dict(kind=("pad" if rng.random() < 0.75 else "stabs") if pad else ("melody" if rng.random() < 0.85 else "stabs"),
                A=motif(rng, meter), B=motif(rng, meter), low=rng.choice((60, 62, 65, 67)), answer=rng.choice((1, 2, -1, -2)), hits=rng.choice(((0, 6), (6, 14), (0, 3, 6), (10, 12))))


def motif(rng, meter):
    """One bar of rhythm and contour: (step, length, scale steps from the note before)."""
    steps, at, notes = 4 * meter, rng.choice((0, 0, 0, 2, 4)), []
    while at < steps:
        length = rng.choice((1, 2, 2, 2, 3, 4, 4, 6))
        length = min(length, steps - at)
        if rng.random() < 0.84 or not notes:
            notes.append((at, length, rng.choice((-2, -1, -1, 0, 1, 1, 2, 3, -3))))
        at += length
    return notes


def bar(rng, plan, part, phrase, chords, steps, state):
    """Notes of a bar. `phrase`: the bar's place in its four-bar phrase (a, a moved, a, cadence). `state`: (pitch, voicing)."""
    pitch, voicing = state
    notes = []
    spans = list(zip(chords, [s for s, _ in chords[1:]] + [steps]))
    if plan["kind"] in ("pad", "stabs"):
        for (start, chord), end in spans:
            voicing = voice(chord, plan["low"] - 8, plan["low"] + 16, previous=voicing)
            if plan["kind"] == "pad":
                notes += [Note(start, (end - start) * 0.98, p, 76) for p in voicing]
            else:
                for hit in plan["hits"]:
                    if start <= hit < end:
                        notes += [Note(hit, 1.5, p, 92) for p in voicing]
        return notes, (pitch, voicing)
    line = plan[part]
    chord = chords[0][1]
    low, high = plan["low"], plan["low"] + 19
    if phrase == 3 and rng.random() < 0.7:
        target = min((place(t, low, high, pitch) for t in chord.tones), key=lambda p: abs(p - pitch))
        notes.append(Note(0, steps * (0.6 if rng.random() < 0.5 else 0.9), target, 92))
        return notes, (target, voicing)
    if phrase == 0 or pitch is None:
        pitch = place(chord.tones[rng.randrange(len(chord.tones))], low, high, plan["low"] + 8)
    elif phrase in (1, 2):
        pitch = place(chord.tones[0], low, high, pitch + plan["answer"])
    for n, (step, length, move) in enumerate(line):
        chord = [ch for s, ch in chords if s <= step][-1]
        if n:
            pitch = scale_step(pitch, move, chord.scale) if move else pitch
        if step % 8 == 0 and pitch % 12 not in chord.tones:
            pitch = min((place(t, pitch - 3, pitch + 3, pitch) for t in chord.tones), key=lambda p: abs(p - pitch))
        if pitch < low:
            pitch += 12
        if pitch > high:
            pitch -= 12
        velocity = 96 if step % 4 == 0 else 84
        notes.append(Note(step, length * 0.95, pitch, velocity))
    return notes, (pitch, voicing)
