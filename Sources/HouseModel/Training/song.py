"""A song from a seed: style, key, tempo, form, who plays when, and every note of every group.

Every decision draws from its own stream of random numbers, named after the decision, so that a relative of a song (another
mix, tempo, key, or other instruments) keeps everything else. A song is a pure function of (seed, variation).
"""
from dataclasses import dataclass, field
import random

from . import bass, drums, guitar, keys, other
from .note import GROUPS
from .styles import MAJOR_MODES, MINOR_MODES, PADS, PROGRESSIONS, SEVENTHS, STYLES, TWELVE_BAR, TWELVE_BAR_MINOR
from .theory import NOTE_NAMES, chord, is_minor

SECONDS = 32.0
VARIATIONS = ("mix", "tempo", "key", "instruments")
PRESENCE = dict(drums=0.56, bass=0.56, guitar=0.5, piano=0.5, other=0.46)


@dataclass
class Section:
    """`bars` bars from bar `start` in which `groups` play part `part`; kind: intro, verse, chorus, break, ending."""

    start: int
    bars: int
    kind: str
    part: str
    groups: tuple


@dataclass
class Song:
    """Tempo in bpm, key as a pitch class, notes per group as (seconds, seconds, pitch, velocity)."""

    seed: str
    variation: str
    style: str
    bpm: float
    meter: int
    swing: float
    key: int
    mode: str
    programs: dict
    sections: list
    bars: list
    ends: bool
    notes: dict = field(default_factory=dict)

    @property
    def bar_seconds(self):
        return self.meter * 60.0 / self.bpm

    @property
    def key_name(self):
        return f"{NOTE_NAMES[self.key]} {self.mode}"

    def groups_at(self, seconds):
        """The groups that the arrangement has playing at a time."""
        bar = int(seconds / self.bar_seconds)
        for section in self.sections:
            if section.start <= bar < section.start + section.bars:
                return section.groups
        return ()


def compose(seed, variation=""):
    """The song of a seed (text), or its relative: variation is one of VARIATIONS, or "" for the song itself."""
    def stream(name):
        changed = {"tempo": "tempo", "key": "key", "instruments": "instruments"}.get(variation)
        return random.Random(f"continuo/{seed}/{name}" + (f"/{variation}" if name == changed else ""))

    style_name = stream("style").choice(list(STYLES))
    style = STYLES[style_name]
    low, high = style["tempo"]
    bpm = round(stream("tempo").uniform(low, high), 1)
    key = stream("key").randrange(12)
    if variation == "tempo":
        plain = round(random.Random(f"continuo/{seed}/tempo").uniform(low, high), 1)
        if abs(bpm / plain - 1) < 0.06:
            bpm = round(plain * (1.12 if plain * 1.12 <= 160 else 0.88), 1)
    if variation == "key" and key == random.Random(f"continuo/{seed}/key").randrange(12):
        key = (key + 5) % 12
    harmony = stream("harmony")
    mode = harmony.choice(MINOR_MODES if harmony.random() < 0.5 else MAJOR_MODES)
    players = stream("instruments")
    programs = {g: players.choice(style["programs"][g]) for g in GROUPS}
    if variation == "instruments":
        before = random.Random(f"continuo/{seed}/instruments")
        plain = {g: before.choice(style["programs"][g]) for g in GROUPS}
        for g in GROUPS:
            others = [p for p in style["programs"][g] if p != plain[g]]
            if others and programs[g] == plain[g]:
                programs[g] = others[0]
    song = Song(seed, variation, style_name, bpm, style["meter"], style["swing"], key, mode, programs, [], [], False)
    plan_form(song, stream("form"))
    song.bars = plan_chords(song, style, harmony)
    write_parts(song, style, stream)
    return song


def plan_form(song, rng):
    """Sections of 2 or 4 bars; at every border one to three groups enter or leave. A third of the songs come to an end inside."""
    total = int(SECONDS / song.bar_seconds) + 1
    song.ends = rng.random() < 0.3
    if song.ends:
        total = max(4, int((SECONDS - 1.5) / song.bar_seconds))
    groups = {g for g in GROUPS if rng.random() < PRESENCE[g]} or {rng.choice(GROUPS)}
    kind = rng.choice(("intro", "intro", "verse", "chorus"))
    if kind == "intro" and len(groups) > 2:
        groups = set(rng.sample(sorted(groups), rng.choice((1, 2))))
    at, part = 0, "A"
    while at < total:
        bars = 2 if (rng.random() < 0.45 or song.bar_seconds > 2.6) else 4
        if kind == "break":
            bars = rng.choice((1, 2))
        bars = min(bars, total - at)
        song.sections.append(Section(at, bars, kind, part, tuple(g for g in GROUPS if g in groups)))
        at += bars
        kind = rng.choices(("verse", "chorus", "break"), (0.5, 0.38, 0.12))[0]
        part = "B" if kind == "chorus" else "A"
        if kind == "break":
            groups = set(rng.sample(GROUPS, rng.choice((1, 1, 2))))
            continue
        for g in rng.sample(GROUPS, rng.choices((1, 2, 3), (0.5, 0.35, 0.15))[0]):
            p = PRESENCE[g]
            if g in groups and rng.random() < 1.25 * (1 - p):
                groups.discard(g)
            elif g not in groups and rng.random() < 1.9 * p:
                groups.add(g)
        if not groups:
            groups = {rng.choice(GROUPS)}
    if song.ends:
        song.sections[-1].kind = "ending"


def plan_chords(song, style, rng):
    """Per bar a list of (start step, chord). Parts A and B have a progression each; every eighth bar leads back by a dominant."""
    steps = 4 * song.meter
    if style["harmony"] == "blues":
        table = TWELVE_BAR_MINOR if is_minor(song.mode) else TWELVE_BAR
        parts = dict(A=table, B=table)
        if not is_minor(song.mode):
            song.mode = "mixolydian"
    else:
        table = PROGRESSIONS[song.mode]
        if style["harmony"] == "sevenths" and rng.random() < 0.85:
            table = SEVENTHS[song.mode]
        parts = dict(A=[rng.choice(table)], B=[rng.choice(table)])
    bars = []
    for section in song.sections:
        table = parts[section.part]
        for n in range(section.bars):
            at = section.start + n
            words = table[(at // 4) % len(table)].split("|")[at % 4].split()
            symbols = []
            for word in words:
                symbols += [word] if len(word) <= 2 or word[0] == "b" else [word[i:i + 2] for i in range(0, len(word), 2)]
            chords = [(round(i * steps / len(symbols) / 4) * 4, chord(s, song.key, song.mode)) for i, s in enumerate(symbols)]
            if at % 8 == 7 and rng.random() < 0.4 and song.mode in ("major", "minor"):
                chords = [chords[0], (steps - 4 * (song.meter // 2), chord("5d", song.key, song.mode))]
            bars.append(chords)
    if song.ends:
        bars[-1] = [(0, chord("1", song.key, song.mode))]
        if len(bars) > 1 and song.mode in ("major", "minor"):
            bars[-2] = [(0, chord("4", song.key, song.mode)), (4 * (song.meter // 2), chord("5d", song.key, song.mode))]
    return bars


def write_parts(song, style, stream):
    """Lets every group write its bars, keeps those in which it plays, and gives them human time and touch."""
    steps = 4 * song.meter
    players = {g: stream(f"{g}/plan") for g in GROUPS}
    pad = song.programs["other"] in PADS
    plans = dict(
        drums=drums.choose(players["drums"], style["drums"]), bass=bass.choose(players["bass"], style["bass"]),
        guitar=guitar.choose(players["guitar"], style["guitar"]), piano=keys.choose(players["piano"], style["keys"]),
        other=other.choose(players["other"], pad, song.meter))
    for g in GROUPS:
        rng, touch = stream(f"{g}/notes"), stream(f"{g}/touch")
        lag = touch.gauss(0, 0.006)
        song.notes[g] = []
        memory = None if g != "other" else (None, None)
        for section in song.sections:
            for n in range(section.bars):
                at = section.start + n
                chords = song.bars[at]
                following = song.bars[(at + 1) % len(song.bars)][0][1]
                opens, closes = n == 0, n == section.bars - 1
                final = song.ends and at == len(song.bars) - 1
                if g == "drums":
                    notes = drums.bar(rng, style["drums"], plans[g], section.part, steps, opens and at > 0, closes and not final)
                elif g == "bass":
                    notes = bass.bar(rng, style["bass"], plans[g], section.part, chords, following, steps, memory)
                    memory = notes[-1].pitch if notes else memory
                elif g == "guitar":
                    notes, memory = guitar.bar(rng, style["guitar"], plans[g], section.part, chords, following, steps, memory)
                elif g == "piano":
                    notes, memory = keys.bar(rng, style["keys"], plans[g], section.part, chords, following, steps, memory)
                else:
                    notes, memory = other.bar(rng, plans[g], section.part, at % 4, chords, steps, memory)
                if g not in section.groups:
                    continue
                if final:
                    notes = closing(notes, g, steps)
                leaves = closes and not playing_next(song, section, g)
                for note in notes:
                    song.notes[g].append(human(song, style, touch, note, at, steps, lag, leaves))


def playing_next(song, section, group):
    later = [s for s in song.sections if s.start == section.start + section.bars]
    return bool(later) and group in later[0].groups


def closing(notes, group, steps):
    """The last bar: what starts on the first beat, held (drums: crash and kick)."""
    if group == "drums":
        from .note import Note
        return [Note(0, 4, drums.CRASH, 100), Note(0, 1, drums.KICK, 110)]
    first = [n for n in notes if n.start < 1] or notes[:1]
    for note in first:
        note.start, note.length = 0, steps * 0.8
    return first


def human(song, style, touch, note, bar, steps, lag, leaves):
    """Swing, push and drag, jitter of about 5 ms, and a velocity that breathes. Returns (start, length, pitch, velocity)."""
    step_seconds = 60.0 / song.bpm / 4

    def swung(step):
        unit = style["unit"]
        whole, inside = divmod(step, unit)
        share = inside / unit
        ratio = song.swing
        share = share * 2 * ratio if share < 0.5 else ratio + (share - 0.5) * 2 * (1 - ratio)
        return (whole + share) * unit

    end = min(note.start + note.length, steps) if leaves else note.start + note.length
    start = bar * song.bar_seconds + swung(note.start) * step_seconds
    stop = bar * song.bar_seconds + swung(end) * step_seconds
    start = max(0.0, start + lag + note.late + touch.gauss(0, 0.005))
    velocity = int(min(127, max(15, note.velocity + touch.gauss(0, 6))))
    return (start, max(0.03, stop - start), note.pitch, velocity)
