"""Turns steering_*.safetensors files, written by the reference script for steering, into one small file for
the replay test: accuracies, soft weights, thresholds, readings and gains. Logits and probes stay behind.

    python make_replay.py replay.json STEERING_FILE...
"""
import json, os, sys
from safetensors.numpy import load_file

out = []
for path in sys.argv[2:]:
    t = load_file(path)
    a = json.load(open(os.path.splitext(path)[0] + ".json"))["arguments"]
    J, L, H = t["accuracy_test"].shape
    r = lambda x: [None if v != v else round(float(v), 7) for v in x.ravel()]
    out.append(dict(mode=a["mode"], alpha=a["alpha"], period=a["period"], power=a["power"], monitors=a["monitors"], topk=a["topk"],
                    start=a["start"], steps=a["steps"], layers=L, heads=H,
                    accuracyTrain=[r(t["accuracy_train"][j]) for j in range(J)], accuracyTest=[r(t["accuracy_test"][j]) for j in range(J)],
                    weight=[r(t["soft_weight"][j]) for j in range(J)], tau=r(t["tau"]),
                    reading=[r(t["C"][j]) for j in range(J)], gain=[r(t["gain"][j]) for j in range(J)]))
json.dump(out, open(sys.argv[1], "w"), separators=(",", ":"))
