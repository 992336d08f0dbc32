"""Writes a song as a standard MIDI file (format 1, 480 ticks to the beat), for looking at and for other synthesisers."""
import struct

from .note import GROUPS

CHANNELS = dict(drums=9, bass=0, guitar=1, piano=2, other=3)


def midi_bytes(song):
    """The file's bytes: a tempo track and one track per group."""
    tracks = [b"\x00\xff\x51\x03" + struct.pack(">I", int(60e6 / song.bpm))[1:] + b"\x00\xff\x2f\x00"]
    per_second = 480 * song.bpm / 60
    for group in GROUPS:
        channel = CHANNELS[group]
        events = [(0, bytes([0xC0 | channel, song.programs[group]]))]
        for start, length, pitch, velocity in song.notes[group]:
            events.append((int(start * per_second), bytes([0x90 | channel, pitch, velocity])))
            events.append((int((start + length) * per_second), bytes([0x80 | channel, pitch, 0])))
        body, now = b"", 0
        for tick, message in sorted(events):
            body += variable(tick - now) + message
            now = tick
        tracks.append(body + b"\x00\xff\x2f\x00")
    out = b"MThd" + struct.pack(">IHHH", 6, 1, len(tracks), 480)
    return out + b"".join(b"MTrk" + struct.pack(">I", len(t)) + t for t in tracks)


def variable(value):
    """MIDI's variable-length number."""
    out = [value & 0x7F]
    while value := value >> 7:
        out.insert(0, (value & 0x7F) | 0x80)
    return bytes(out)
