"""What librosa hears in synthetic music: `python make_music.py OUT_DIR` (librosa 0.11). The sound is made again in TempoTests.swift and ChromaTests.swift.

A decaying tone of 1 kHz on every beat, every fourth twice as loud, over a chord of sines that changes every four beats.
"""
import json, os, sys
import librosa
import numpy as np

RATE, SECONDS = 32000, 12
CASES = [dict(bpm=96.0, chords=[[220.0, 261.6256, 329.6276], [174.6141, 220.0, 261.6256]]), dict(bpm=124.0, chords=[[146.8324, 185.0, 220.0]]), dict(bpm=151.0, chords=[[98.0, 246.9417, 293.6648], [130.8128, 164.8138, 196.0]])]


def sound(bpm, chords):
    time = np.arange(RATE * SECONDS) / RATE
    beat = time * bpm / 60
    since = (beat - np.floor(beat)) * 60 / bpm
    loud = np.where(np.floor(beat) % 4 == 0, 0.6, 0.3)
    out = loud * np.exp(-40 * since) * np.sin(2 * np.pi * 1000 * since)
    chord = np.floor(beat / 4).astype(int) % len(chords)
    for n, tones in enumerate(chords):
        for tone in tones:
            out += np.where(chord == n, 0.1 * np.sin(2 * np.pi * tone * time), 0)
    return out.astype(np.float32)


rows = []
for case in CASES:
    x = sound(**case)
    onsets = librosa.onset.onset_strength(y=x, sr=RATE, hop_length=256)
    tempo = float(np.atleast_1d(librosa.feature.tempo(y=x, sr=RATE, hop_length=256))[0])
    chroma = librosa.feature.chroma_stft(y=x, sr=RATE, n_fft=4096, hop_length=2048, tuning=0.0).mean(1)
    rows.append(dict(case, tempo=round(tempo, 4), onsets=[round(float(v), 4) for v in onsets[:200]], chroma=[round(float(v), 6) for v in chroma / np.linalg.norm(chroma)]))
    print(case["bpm"], tempo, chroma.round(2), len(onsets), onsets[:6])
with open(os.path.join(sys.argv[1], "heard.json"), "w") as f:
    json.dump(rows, f)
