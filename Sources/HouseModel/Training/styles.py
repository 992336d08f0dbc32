"""The styles: what a band agrees on before it plays. Data only.

tempo: bpm range. meter: beats in a bar. swing: how far the second half of a unit is delayed, 0.5 straight, 0.667
triplet; unit: the swung unit in steps (4: eighths swing inside a beat, 2: sixteenths swing inside an eighth).
drums, bass, guitar, keys: names of idioms in the modules of these names. programs: General MIDI, from 0.
"""

MAJOR_MODES = ("major", "major", "major", "mixolydian", "lydian")
MINOR_MODES = ("minor", "minor", "minor", "dorian", "phrygian")

# Progressions by mode, one symbol per chord; "|" separates bars. All are four bars and repeat.
PROGRESSIONS = {
    "major": ["1 | 5 | 6 | 4", "1 | 6 | 4 | 5", "1 | 4 | 1 | 5", "6 | 4 | 1 | 5", "1 | 3 | 4 | 5", "1 | 2 | 4 | 5", "4 | 1 | 5 | 6", "1 5 | 6 3 | 4 1 | 4 5"],
    "minor": ["1 | 6 | 3 | 7", "1 | 4 | 6 | 5d", "1 | 7 | 6 | 5d", "1 | 6 | 4 | 5d", "6 | 7 | 1 | 1", "1 | 3 | 7 | 4", "1 7 | 6 7 | 1 4 | 5d"],
    "dorian": ["1 | 4 | 1 | 4", "1 | 4 | 7 | 4", "1 | 2 | 3 | 4", "1 | 7 | 4 | 1"],
    "phrygian": ["1 | 2 | 1 | 2", "1 | 2 | 3 | 2", "1 | 7 | 6 | 2"],
    "lydian": ["1 | 2 | 1 | 2", "1 | 2 | 5 | 1", "6 | 2 | 1 | 5"],
    "mixolydian": ["1 | 7 | 4 | 1", "1 | 4 | 7 | 4", "1 | 5 | 7 | 4", "1 7 | 4 | 1 7 | 4"],
}
SEVENTHS = {
    "major": ["27 | 5d | 17 | 67", "17 67 | 27 5d | 37 67 | 27 5d", "17 | 27 | 37 | 27", "47 | 37 | 27 5d | 17", "17 | 6d | 27 | 5d"],
    "minor": ["17 | 27 5d | 17 | 67 5d", "17 | 47 | 7d | 37", "47 | 17 | 27 5d | 17", "17 | 67 | 27 | 5d"],
    "dorian": ["17 | 4d | 17 | 4d", "17 27 | 37 4d | 17 | 4d"],
    "phrygian": ["17 | 27 | 17 | 27"],
    "lydian": ["17 | 2d | 17 | 2d"],
    "mixolydian": ["1d | 77 | 47 | 1d", "1d | 57 | 1d | 47"],
}
TWELVE_BAR = ["1d | 1d | 1d | 1d", "4d | 4d | 1d | 1d", "5d | 4d | 1d | 5d"]
TWELVE_BAR_MINOR = ["17 | 47 | 17 | 17", "47 | 47 | 17 | 17", "67 | 5d | 17 | 5d"]

PIANOS = (0, 0, 1, 2, 4, 5)
GUITARS_CLEAN = (25, 25, 27, 24)
STRINGS = (48, 49, 50)
ORGANS = (16, 17, 18)

STYLES = {
    "rock": dict(tempo=(100, 160), meter=4, swing=0.5, unit=4, harmony="triads", drums="rock", bass="eighths", guitar="power", keys="block", programs=dict(drums=(0, 8, 16), bass=(33, 34), guitar=(29, 30), piano=(0, 1, 2), other=(16, 18, 81, 62))),
    "pop": dict(tempo=(88, 132), meter=4, swing=0.5, unit=4, harmony="triads", drums="pop", bass="pulse", guitar="strum", keys="eighths", programs=dict(drums=(0, 8), bass=(33, 39, 34), guitar=(25, 27), piano=(0, 1, 5), other=(48, 50, 80, 81, 52))),
    "funk": dict(tempo=(88, 118), meter=4, swing=0.54, unit=2, harmony="sevenths", drums="funk", bass="funk", guitar="chops", keys="clav", programs=dict(drums=(0, 8), bass=(36, 33, 37), guitar=(27, 28), piano=(7, 4, 2), other=(61, 16, 56, 66))),
    "blues": dict(tempo=(72, 130), meter=4, swing=0.64, unit=4, harmony="blues", drums="shuffle", bass="boogie", guitar="riff", keys="comp", programs=dict(drums=(0, 8), bass=(33, 32), guitar=(27, 29, 26), piano=(0, 3, 1), other=(16, 18, 22, 66))),
    "jazz": dict(tempo=(96, 160), meter=4, swing=0.66, unit=4, harmony="sevenths", drums="swing", bass="walking", guitar="four", keys="comp", programs=dict(drums=(32, 40), bass=(32,), guitar=(26,), piano=(0, 0, 4), other=(66, 65, 56, 11, 71))),
    "bossa nova": dict(tempo=(108, 144), meter=4, swing=0.5, unit=4, harmony="sevenths", drums="bossa", bass="bossa", guitar="bossa", keys="comp", programs=dict(drums=(40, 32), bass=(32, 35), guitar=(24,), piano=(0, 4), other=(73, 65, 48, 11))),
    "reggae": dict(tempo=(70, 96), meter=4, swing=0.56, unit=4, harmony="triads", drums="one drop", bass="dub", guitar="skank", keys="bubble", programs=dict(drums=(0, 8), bass=(33, 39), guitar=(27, 28), piano=(0, 1, 4), other=(16, 17, 61, 57))),
    "house": dict(tempo=(116, 130), meter=4, swing=0.52, unit=2, harmony="sevenths", drums="four on the floor", bass="octaves", guitar="chops", keys="stabs", programs=dict(drums=(25, 24), bass=(38, 39), guitar=(27, 28), piano=(1, 5, 4), other=(81, 80, 50, 62))),
    "ballad": dict(tempo=(70, 92), meter=4, swing=0.5, unit=4, harmony="triads", drums="ballad", bass="long", guitar="arpeggio", keys="broken", programs=dict(drums=(0, 8, 40), bass=(33, 35), guitar=(25, 24, 27), piano=(0, 4, 5), other=(48, 49, 40, 73))),
    "country": dict(tempo=(96, 150), meter=4, swing=0.53, unit=4, harmony="triads", drums="train", bass="root-fifth", guitar="boom-chick", keys="stride", programs=dict(drums=(0, 40), bass=(32, 33), guitar=(25, 27), piano=(3, 0, 1), other=(40, 22, 18))),
    "salsa": dict(tempo=(90, 112), meter=4, swing=0.5, unit=4, harmony="sevenths", drums="salsa", bass="tumbao", guitar="arpeggio", keys="montuno", programs=dict(drums=(0, 8), bass=(32, 33), guitar=(24, 25), piano=(0, 1), other=(56, 61, 57, 73))),
    "hip hop": dict(tempo=(76, 100), meter=4, swing=0.58, unit=2, harmony="sevenths", drums="boom bap", bass="long", guitar="riff", keys="comp", programs=dict(drums=(25, 8, 0), bass=(38, 33, 39), guitar=(26, 27), piano=(4, 5, 0), other=(48, 11, 73, 50))),
    "waltz": dict(tempo=(84, 150), meter=3, swing=0.5, unit=4, harmony="triads", drums="waltz", bass="root-fifth", guitar="arpeggio", keys="waltz", programs=dict(drums=(40, 0), bass=(32, 35), guitar=(24, 25), piano=(0, 2), other=(40, 48, 71, 19))),
    "soul": dict(tempo=(84, 124), meter=4, swing=0.52, unit=2, harmony="sevenths", drums="motown", bass="syncopated", guitar="backbeat", keys="eighths", programs=dict(drums=(0, 8), bass=(33, 34), guitar=(27, 26), piano=(0, 4, 2), other=(16, 61, 48, 66))),
}

PROGRAM_NAMES = {
    0: "grand piano", 1: "bright piano", 2: "electric grand", 3: "honky-tonk piano", 4: "electric piano", 5: "fm piano", 7: "clavinet",
    11: "vibraphone", 16: "organ", 17: "percussive organ", 18: "rock organ", 19: "church organ", 22: "harmonica",
    24: "nylon guitar", 25: "steel guitar", 26: "jazz guitar", 27: "clean guitar", 28: "muted guitar", 29: "overdriven guitar", 30: "distorted guitar",
    32: "double bass", 33: "fingered bass", 34: "picked bass", 35: "fretless bass", 36: "slap bass", 37: "slap bass", 38: "synth bass", 39: "synth bass",
    40: "violin", 48: "strings", 49: "slow strings", 50: "synth strings", 52: "choir", 56: "trumpet", 57: "trombone", 61: "brass", 62: "synth brass",
    65: "alto sax", 66: "tenor sax", 71: "clarinet", 73: "flute", 80: "square lead", 81: "saw lead",
}
KIT_NAMES = {0: "standard kit", 8: "room kit", 16: "power kit", 24: "electronic kit", 25: "808 kit", 32: "jazz kit", 40: "brush kit"}
PADS = {16, 17, 18, 19, 48, 49, 50, 52}
