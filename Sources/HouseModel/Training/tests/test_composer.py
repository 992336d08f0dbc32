"""The composer keeps its promises. Needs the standard library only: `PYTHONPATH=Sources/HouseModel python -m pytest Sources/HouseModel/Training/tests`."""
import random

from Training.captions import caption
from Training.catalogue_plan import COUNTS, plan
from Training.midi import midi_bytes
from Training.note import GROUPS
from Training.song import SECONDS, VARIATIONS, compose
from Training.styles import STYLES
from Training.theory import MODES, chord, voice

SONGS = [compose(f"tests/{i}") for i in range(300)]


def test_a_song_is_a_function_of_its_seed():
    again = compose("tests/7")
    assert again == SONGS[7]
    assert compose("tests/8") != SONGS[7]


def test_every_style_and_mode_and_key_occurs():
    assert {s.style for s in SONGS} == set(STYLES) and len(STYLES) >= 10
    assert {s.mode for s in SONGS} == set(MODES)
    assert {s.key for s in SONGS} == set(range(12))


def test_tempos_stay_between_70_and_160():
    assert all(70 <= s.bpm <= 160 for s in SONGS)
    assert all(70 <= compose(f"tests/{i}", "tempo").bpm <= 160 for i in range(100))


def test_groups_enter_and_leave_on_bar_lines_in_every_combination():
    seen = {section.groups for s in SONGS for section in s.sections}
    assert len(seen) >= 30
    for s in SONGS:
        for section in s.sections:
            assert section.groups and section.bars >= 1
        for g in GROUPS:
            for start, _, _, _ in s.notes[g]:
                near = [s.groups_at(start + d) for d in (-0.06, 0.0, 0.06)]
                assert any(g in groups for groups in near), (s.seed, g, start)


def test_drums_play_in_about_half_of_the_time():
    for g in GROUPS:
        share = sum(x.bars * s.bar_seconds for s in SONGS for x in s.sections if g in x.groups) / sum(x.bars * s.bar_seconds for s in SONGS for x in s.sections)
        assert 0.4 < share < 0.65, (g, share)


def test_songs_fill_their_time_unless_they_end():
    for s in SONGS:
        length = sum(x.bars for x in s.sections) * s.bar_seconds
        assert length > 26 if s.ends else length >= SECONDS


def test_relatives_differ_in_what_they_are_named_after_and_in_nothing_else():
    for i in range(40):
        plain = SONGS[i]
        for variation in VARIATIONS:
            other = compose(plain.seed, variation)
            assert (other.bpm != plain.bpm) == (variation == "tempo")
            assert (other.key != plain.key) == (variation == "key")
            assert (other.programs != plain.programs) == (variation == "instruments")
            assert other.style == plain.style
        assert compose(plain.seed, "mix").notes == plain.notes


def test_at_least_sixty_training_songs_have_relatives():
    related = [i for i in range(COUNTS["train"]) if plan("train", i)[2] is not None]
    assert len(related) >= 60
    assert all(plan("train", i)[0] == plan("train", plan("train", i)[2])[0] for i in related)


def test_chords_are_spelled_as_their_symbols_say():
    assert chord("1", 0, "major").tones == (0, 4, 7)
    assert chord("57", 0, "major").tones == (7, 11, 2, 5)
    assert chord("5d", 9, "minor").tones == (4, 8, 11, 2)
    assert chord("b7", 0, "major").tones[0] == 10
    assert chord("27", 0, "minor").tones == (2, 5, 8, 0)


def test_voicings_hold_the_chord_and_move_little():
    first = voice(chord("1", 0, "major"), 52, 76)
    second = voice(chord("4", 0, "major"), 52, 76, previous=first)
    assert {p % 12 for p in second} == {5, 9, 0}
    assert max(min(abs(p - q) for q in first) for p in second) <= 2


def test_captions_name_exactly_the_groups_that_play():
    for s in SONGS[:60]:
        text = caption(s, ("drums", "bass"), random.Random(1))
        assert "drums" in text and "bass" in text
        assert caption(s, (), random.Random(1), extras=False) == "silence"


def test_midi_files_have_a_track_per_group():
    data = midi_bytes(SONGS[0])
    assert data[:4] == b"MThd" and data.count(b"MTrk") == 1 + len(GROUPS)
