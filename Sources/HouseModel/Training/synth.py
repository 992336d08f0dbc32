"""FluidSynth through ctypes: the sound font is loaded once, every MIDI channel renders into its own buffer in one pass.

In: notes per group in seconds. Out: one float32 mono stem per group at 32 kHz. Needs libfluidsynth.so.3 and a General MIDI
sound font (Debian: libfluidsynth3, fluid-soundfont-gm).
"""
import ctypes
import ctypes.util
import os

import numpy as np

from .midi import CHANNELS

RATE = 32000
BLOCK = 64
SOUND_FONTS = ("/usr/share/sounds/sf2/FluidR3_GM.sf2", "/usr/share/soundfonts/FluidR3_GM.sf2")


class Synth:
    """One FluidSynth instance. Not for several threads; use one per process."""

    def __init__(self, sound_font=None):
        name = ctypes.util.find_library("fluidsynth")
        if not name:
            raise RuntimeError("libfluidsynth not found; install the package libfluidsynth3")
        font = sound_font or next((f for f in SOUND_FONTS if os.path.exists(f)), None)
        if not font:
            raise RuntimeError("no General MIDI sound font found; install the package fluid-soundfont-gm")
        self.lib = ctypes.CDLL(name)
        for f in ("new_fluid_settings", "new_fluid_synth"):
            getattr(self.lib, f).restype = ctypes.c_void_p
        settings = ctypes.c_void_p(self.lib.new_fluid_settings())
        number, whole = self.lib.fluid_settings_setnum, self.lib.fluid_settings_setint
        number.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_double]
        number(settings, b"synth.sample-rate", float(RATE))
        number(settings, b"synth.gain", 0.5)
        for key, value in ((b"synth.reverb.active", 0), (b"synth.chorus.active", 0), (b"synth.audio-groups", 16), (b"synth.audio-channels", 16), (b"synth.polyphony", 160), (b"synth.threadsafe-api", 0)):
            whole(settings, key, value)
        self.synth = ctypes.c_void_p(self.lib.new_fluid_synth(settings))
        if self.lib.fluid_synth_sfload(self.synth, font.encode(), 1) < 0:
            raise RuntimeError(f"FluidSynth could not load {font}")
        self.font = font

    def render(self, song, seconds):
        """Stems {group: float32 [seconds * 32000]}, mono, dry."""
        lib, synth = self.lib, self.synth
        lib.fluid_synth_system_reset(synth)
        total = int(seconds * RATE) // BLOCK
        events = []
        for group, notes in song.notes.items():
            channel = CHANNELS[group]
            lib.fluid_synth_bank_select(synth, channel, 128 if group == "drums" else 0)
            lib.fluid_synth_program_change(synth, channel, song.programs[group])
            for start, length, pitch, velocity in notes:
                on = int(start * RATE / BLOCK)
                if on >= total:
                    continue
                off = max(on + 2, int((start + length) * RATE / BLOCK))
                events.append((on, 1, channel, pitch, velocity))
                events.append((off, 0, channel, pitch, 0))
        events.sort()
        left = np.zeros((16, total * BLOCK), np.float32)
        right = np.zeros((16, total * BLOCK), np.float32)
        pointers = ctypes.POINTER(ctypes.c_float) * 16
        base_l, base_r, stride = left.ctypes.data, right.ctypes.data, left.strides[0]
        to_float = ctypes.POINTER(ctypes.c_float)

        def advance(now, until):
            if until <= now:
                return
            at = now * BLOCK * 4
            l = pointers(*[ctypes.cast(base_l + c * stride + at, to_float) for c in range(16)])
            r = pointers(*[ctypes.cast(base_r + c * stride + at, to_float) for c in range(16)])
            lib.fluid_synth_nwrite_float(synth, (until - now) * BLOCK, l, r, None, None)

        now = 0
        for when, kind, channel, pitch, velocity in events:
            if when >= total:
                break
            advance(now, when)
            now = max(now, when)
            if kind:
                lib.fluid_synth_noteon(synth, channel, pitch, velocity)
            else:
                lib.fluid_synth_noteoff(synth, channel, pitch)
        advance(now, total)
        return {g: 0.5 * (left[c] + right[c]) for g, c in CHANNELS.items()}
