"""A tiny random recogniser and what PyTorch hears with it: `PYTHONPATH=Sources/HouseModel python make_recogniser.py OUT_DIR`.

The class is the one that is trained and shipped, with fewer channels."""
import json, os, sys
import torch
from safetensors.torch import load_file
from Training import recogniser

recogniser.WINDOW, recogniser.BANDS, recogniser.HIDDEN = 256, 8, 4
recogniser.PLANES = ((1, 3, (5, 3), (2, 1)), (3, 4, (3, 3), (2, 2)), (4, 4, (3, 1), (1, 1)))
recogniser.LAYERS = ((8, 6, 5, 1, 1), (6, 7, 5, 2, 1), (7, 4, 5, 1, 2))
torch.manual_seed(3)
model = recogniser.Recogniser().eval()
for norm in [*model.plane_norms, *model.norms]:
    norm.running_mean.normal_(0, 0.1); norm.running_var.uniform_(0.5, 1.5)
model.input_norm.running_mean.normal_(-5, 1); model.input_norm.running_var.uniform_(2, 6)
for convolution in [*model.planes, *model.convolutions]:
    convolution.weight.data.mul_(3)
recogniser.export(model, sys.argv[1], {})
seconds = 3
time = torch.arange(32000 * seconds, dtype=torch.float64) / 32000
audio = (0.3 * torch.sin(2 * torch.pi * (200 + 300 * time) * time) + 0.1 * torch.sin(2 * torch.pi * 3000 * time) * (time > 1.5)).float()
# The exported network, as recogniser.json describes it.
t = {k: v.float() for k, v in load_file(os.path.join(sys.argv[1], "recogniser.safetensors")).items()}
with torch.no_grad():
    x = (recogniser.front_end(audio[None], t["mel"], t["window"]) * t["input.scale"][:, None] + t["input.shift"][:, None])[:, None]
    for n, (_, _, kernel, stride) in enumerate(recogniser.PLANES):
        x = torch.relu(torch.nn.functional.conv2d(x, t[f"plane.{n}.weight"], t[f"plane.{n}.bias"], stride=stride, padding=(kernel[0] // 2, kernel[1] // 2)))
    x = x.flatten(1, 2)
    for n, (_, _, kernel, stride, dilation) in enumerate(recogniser.LAYERS):
        x = torch.relu(torch.nn.functional.conv1d(x, t[f"convolution.{n}.weight"], t[f"convolution.{n}.bias"], stride=stride, dilation=dilation, padding=dilation * (kernel - 1) // 2))
    y = torch.nn.functional.conv1d(x, t["read.weight"], t["read.bias"])
    logits, vectors = recogniser.per_second(y)[0], recogniser.per_second(x)[0]
    print((logits - model(audio[None])[0]).abs().max(), "from the network before export")
json.dump(dict(seconds=seconds, logits=[[round(v, 6) for v in row] for row in logits.tolist()], embeddings=[[round(v, 6) for v in row] for row in vectors.tolist()]),
          open(os.path.join(sys.argv[1], "heard.json"), "w"))
