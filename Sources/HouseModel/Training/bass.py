"""Bass idioms: one bar at a time, from the chords of the bar and the root of the next."""
from .note import Note
from .theory import place

LOW, HIGH = 28, 50

# r root, R root an octave up, f fifth, t third, s seventh (or octave), a approach to the next root, "-" holds, "." rests.
PATTERNS = {
    "eighths": ["r-r-r-r-r-r-r-r-", "r-r-r-r-r-r-f-a-", "r---r-r-r---r-r-"],
    "pulse": ["r-----r-r-----r-", "r---r---r---r-f-", "r-..r-..r-..r-R-"],
    "funk": ["r..r..R.r..s..R.", "r.rR...r..s.f.r.", "r-..R.r...f.s.a.", "r.....rR..r.s.a."],
    "boogie": ["r-r-t-t-f-f-s-f-", "r-R-r-R-r-R-r-R-", "r---t---f---s---"],
    "bossa": ["r-----f-f-----r-", "r-----f-f-----a-"],
    "dub": ["r---..r-f-r-....", "r-r-..t-f---....", "....r---r-f-r---", "r-----f-r-..t-f-"],
    "octaves": ["..R...R...R...R.", "r.R.r.R.r.R.r.R.", "r..R..r.R..r..R."],
    "long": ["r---------------", "r-------f-----a-", "r---------r-f---"],
    "root-fifth": ["r---....f---....", "r-------f-----a-", "r---f---r---f-a-"],
    "tumbao": ["......f-----R---", "r-....f-----R---"],
    "syncopated": ["r-.r-.r-f-r-s-f-", "r--r--f-R-f-r-a-", "r-r-..r-t-f-..a-"],
}
THREE = ["r-----------", "r-------f---", "r---f---a---"]


def choose(rng, idiom):
    options = PATTERNS.get(idiom, [None])
    return dict(A=rng.randrange(len(options)), B=rng.randrange(len(options)), three=rng.randrange(3), base=rng.choice((33, 36, 38)))


def bar(rng, idiom, plan, part, chords, following, steps, previous):
    """Notes of a bar. `chords`: (start step, chord) pairs; `following`: the next bar's first chord; `previous`: last pitch."""
    near = previous if previous else plan["base"]
    if idiom == "walking":
        return walk(rng, chords, following, steps, near)
    if steps == 12:
        pattern = THREE[plan["three"]]
    else:
        pattern = PATTERNS[idiom][plan[part] if rng.random() > 0.1 else rng.randrange(len(PATTERNS[idiom]))]
    notes = []
    for step, c in enumerate(pattern[:steps]):
        if c in "-.":
            continue
        length = 1
        while step + length < steps and pattern[step + length] == "-":
            length += 1
        chord = [ch for s, ch in chords if s <= step][-1]
        root = place(chord.root, LOW, HIGH, 0.4 * near + 0.6 * plan["base"])
        if c == "r":
            pitch = root
        elif c == "R":
            pitch = root + 12
        elif c == "f":
            pitch = place(chord.fifth, root - 5, root + 8, root + 4)
        elif c == "t":
            pitch = root + (chord.third - chord.root) % 12
        elif c == "s":
            pitch = root + (chord.intervals[3] if len(chord.intervals) > 3 else 12)
        else:
            pitch = place(following.root, LOW, HIGH, root) + rng.choice((-1, 1, -2))
        velocity = 100 if step % 4 == 0 else 84
        notes.append(Note(step, length * (0.95 if length > 1 else 0.8), pitch, velocity))
        near = root
    return notes


def walk(rng, chords, following, steps, near):
    """Four to the bar: a chord tone on the strong beats, steps between, a semitone or tone into the next root."""
    notes, pitch = [], near
    beats = list(range(0, steps, 4))
    for n, step in enumerate(beats):
        chord = [ch for s, ch in chords if s <= step][-1]
        opens = any(s == step for s, _ in chords)
        if opens:
            pitch = place(chord.root, LOW, HIGH, near)
        elif n == len(beats) - 1:
            target = place(following.root, LOW, HIGH, pitch)
            pitch = target + rng.choice((-1, 1, 2, -2))
        else:
            options = [p for p in range(max(LOW, pitch - 5), min(HIGH + 3, pitch + 6)) if p % 12 in chord.tones and p != pitch]
            pitch = rng.choice(options or [pitch])
        notes.append(Note(step, 3.7, pitch, 96 if n % 2 == 0 else 88))
        if rng.random() < 0.1:
            notes[-1].length = 1.8
            notes.append(Note(step + 2, 1.6, pitch, 66))
        near = pitch
    return notes
