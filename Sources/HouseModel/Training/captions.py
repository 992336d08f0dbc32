"""Captions: tags for a whole song or a stretch of it, "drums, bass, jazz piano, 120 bpm, e minor"."""
from .note import GROUPS
from .styles import KIT_NAMES, PROGRAM_NAMES

COLOURED = {"jazz", "rock", "funk", "blues", "reggae", "salsa", "soul", "country", "house"}


def instrument(song, group, rng):
    """What a group is called: its family, its program, or the family with the style in front."""
    if group == "drums":
        return rng.choice(("drums", "drums", KIT_NAMES[song.programs["drums"]] + " drums"))
    name = PROGRAM_NAMES[song.programs[group]]
    if group == "other":
        return name
    options = [group, group, name if group in name else f"{name} {group}"]
    if song.style in COLOURED:
        options.append(f"{song.style} {group}")
    return rng.choice(options)


def caption(song, groups, rng, extras=True):
    """A caption naming every group in `groups`; with `extras`, style, tempo and key are each named most of the time."""
    tags = [instrument(song, g, rng) for g in GROUPS if g in groups]
    rng.shuffle(tags)
    if extras:
        if rng.random() < 0.7:
            tags.insert(0, song.style) if rng.random() < 0.5 else tags.append(song.style)
        if rng.random() < 0.7:
            tags.append(f"{round(song.bpm)} bpm")
        if rng.random() < 0.6:
            tags.append(song.key_name)
    return ", ".join(tags) if tags else "silence"
