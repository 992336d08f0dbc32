"""Log-mel distances and SI-SDR that the codec's training computes: `PYTHONPATH=Sources/HouseModel python make_mel.py OUT_DIR`.

The sounds are made again in MelDistanceTests.swift.
"""
import json, os, sys
import numpy as np
import torch
from Training.codec_losses import MelDistance, si_sdr

time = np.arange(16000) / 32000
sounds = dict(
    chord=0.2 * np.sin(2 * np.pi * 220 * time) + 0.1 * np.sin(2 * np.pi * 660 * time),
    sweep=0.3 * np.sin(2 * np.pi * (100 + 8000 * time) * time),
    bent=0.2 * np.sin(2 * np.pi * 222 * time) + 0.1 * np.sin(2 * np.pi * 660 * time + 1))
tensors = {k: torch.from_numpy(v.astype(np.float32))[None] for k, v in sounds.items()}
rows = []
for a in tensors:
    for b in tensors:
        rows.append(dict(reference=a, sound=b, mel=MelDistance()(tensors[a], tensors[b]).item(), distortion=si_sdr(tensors[a], tensors[b]).item()))
        print(rows[-1])
with open(os.path.join(sys.argv[1], "mel.json"), "w") as f:
    json.dump(rows, f, indent=0)
