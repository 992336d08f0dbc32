"""The recogniser: which groups sound in each second. A small convolutional network over log-mel frames.

In: 32 kHz mono audio. Front end: STFT (Hann window of 4096, hop 640, centred, reflect padding), power, 128 mel bands, natural log of
(energy + 1e-5) -> (128, frames), 50 frames a second. Network: six convolutions over bands and frames, which tell a timbre by the shape of
its overtones wherever they lie, then three over frames alone, each followed by ReLU; 12.5 frames a second come out; the last hidden layer
(128) is the embedding for Frechet distances; a 1 x 1 convolution gives 5 logits per frame.
Out per second: the mean of the logits of its frames. It is no part of the generator and shares nothing with it.
"""
import json
import os

import torch

from .codec_losses import mel_matrix
from .note import GROUPS

WINDOW, HOP, BANDS, HIDDEN = 4096, 640, 128, 128
PLANES = (                                        # in, out, kernel and stride over (bands, frames)
    (1, 32, (5, 3), (2, 1)), (32, 64, (3, 3), (2, 2)), (64, 64, (3, 3), (1, 1)), (64, 96, (3, 3), (2, 1)), (96, 128, (3, 3), (2, 2)), (128, 128, (3, 3), (1, 1)))
LAYERS = ((128 * 8, 256, 3, 1, 1), (256, 256, 5, 1, 1), (256, HIDDEN, 3, 1, 2))     # in, out, kernel, stride, dilation


def front_end(audio, mel, window):
    """audio [batch, samples], a multiple of 640 -> log-mel [batch, bands, samples / 640]."""
    with torch.autocast("cpu", enabled=False):
        s = torch.stft(audio, len(window), HOP, window=window, center=True, pad_mode="reflect", return_complex=True)[..., :-1]
        power = s.real.square() + s.imag.square()
        return torch.log(mel.t() @ power + 1e-5)


class Recogniser(torch.nn.Module):
    """Normalisation layers are trained and folded into the convolutions on export."""

    def __init__(self):
        super().__init__()
        self.register_buffer("mel", mel_matrix(WINDOW, BANDS))
        self.register_buffer("window", torch.hann_window(WINDOW))
        self.input_norm = torch.nn.BatchNorm1d(BANDS)
        self.planes = torch.nn.ModuleList(torch.nn.Conv2d(i, o, k, stride=s, padding=(k[0] // 2, k[1] // 2)) for i, o, k, s in PLANES)
        self.plane_norms = torch.nn.ModuleList(torch.nn.BatchNorm2d(o) for _, o, _, _ in PLANES)
        self.convolutions = torch.nn.ModuleList(torch.nn.Conv1d(i, o, k, stride=s, dilation=d, padding=d * (k - 1) // 2) for i, o, k, s, d in LAYERS)
        self.norms = torch.nn.ModuleList(torch.nn.BatchNorm1d(o) for _, o, _, _, _ in LAYERS)
        self.read = torch.nn.Conv1d(HIDDEN, len(GROUPS), 1)

    def frames(self, audio):
        """audio [batch, samples] -> hidden [batch, 128, frames / 4] and logits [batch, 5, frames / 4]."""
        x = self.input_norm(front_end(audio, self.mel, self.window))[:, None]
        for convolution, norm in zip(self.planes, self.plane_norms):
            x = torch.relu(norm(convolution(x)))
        x = x.flatten(1, 2)                       # [batch, channels * bands that are left, frames]
        for convolution, norm in zip(self.convolutions, self.norms):
            x = torch.relu(norm(convolution(x)))
        return x, self.read(x)

    def forward(self, audio):
        """audio [batch, seconds * 32000] -> logits [batch, seconds, 5]; a whole number of seconds in pairs (12.5 frames each)."""
        return per_second(self.frames(audio)[1])

    @torch.no_grad()
    def embed(self, audio):
        """One vector per second [batch, seconds, 128]: the last hidden layer, averaged."""
        return per_second(self.frames(audio)[0])


def per_second(x):
    """[batch, channels, frames at 12.5 Hz] -> [batch, seconds, channels]; second n is the mean of frames ceil(12.5 n) to ceil(12.5 (n + 1)) - 1."""
    seconds = int(x.shape[-1] / 12.5)
    edges = [-(-25 * n // 2) for n in range(seconds + 1)]
    return torch.stack([x[..., a:b].mean(-1) for a, b in zip(edges, edges[1:])], 1)


def folded(convolution, norm):
    """Weight and bias of a convolution with its normalisation in them, half precision."""
    gain = norm.weight / torch.sqrt(norm.running_var + norm.eps)
    weight = convolution.weight * gain.reshape(-1, *[1] * (convolution.weight.dim() - 1))
    return weight.detach().half().contiguous(), (norm.bias + (convolution.bias - norm.running_mean) * gain).detach().half().contiguous()


def export(model, path, figures):
    """recogniser.safetensors (half precision; the mel matrix and window in float32) and recogniser.json."""
    from safetensors.torch import save_file
    model.eval()
    tensors = {"mel": model.mel.contiguous(), "window": model.window.contiguous()}
    scale = model.input_norm.weight / torch.sqrt(model.input_norm.running_var + model.input_norm.eps)
    tensors["input.scale"] = scale.detach().clone()
    tensors["input.shift"] = (model.input_norm.bias - model.input_norm.running_mean * scale).detach().clone()
    for kind, convolutions, norms in (("plane", model.planes, model.plane_norms), ("convolution", model.convolutions, model.norms)):
        for n, (convolution, norm) in enumerate(zip(convolutions, norms)):
            tensors[f"{kind}.{n}.weight"], tensors[f"{kind}.{n}.bias"] = folded(convolution, norm)
    tensors["read.weight"] = model.read.weight.detach().half().contiguous()
    tensors["read.bias"] = model.read.bias.detach().half().contiguous()
    os.makedirs(path, exist_ok=True)
    save_file(tensors, os.path.join(path, "recogniser.safetensors"))
    note = dict(
        format="continuo-recogniser", version=2, licence="CC0-1.0", made_by="Continuo house band", sampling_rate=32000, groups=list(GROUPS),
        front_end=dict(window=WINDOW, hop=HOP, window_shape="periodic Hann, tensor window", centred=True, padding=f"reflect, {WINDOW // 2} samples at both ends",
                       frames="frame t is centred on sample 640 t; samples / 640 frames", spectrum=f"power, {WINDOW // 2 + 1} bins, no scaling",
                       mel=f"tensor mel [{WINDOW // 2 + 1}, {BANDS}], applied to the power", log="natural log of (energy + 1e-5)"),
        input="per band: x * input.scale + input.shift",
        planes=[dict(tensor=f"plane.{n}", input=i, output=o, kernel=list(k), stride=list(s), padding=[k[0] // 2, k[1] // 2], padding_value=0, activation="relu",
                     axes="bands, frames") for n, (i, o, k, s) in enumerate(PLANES)],
        flattened="channel c, band b -> channel c * bands + b",
        layers=[dict(kind="convolution", tensor=f"convolution.{n}", input=i, output=o, kernel=k, stride=s, dilation=d, padding=d * (k - 1) // 2, padding_value=0, activation="relu") for n, (i, o, k, s, d) in enumerate(LAYERS)],
        embedding=f"output of the last layer, {HIDDEN} channels at 12.5 Hz",
        read="1 x 1 convolution to 5 logits per frame at 12.5 Hz",
        seconds="second n: mean over frames ceil(12.5 n) to ceil(12.5 (n + 1)) - 1; a group sounds where its mean logit is above 0",
        figures=figures)
    with open(os.path.join(path, "recogniser.json"), "w") as f:
        json.dump(note, f, indent=2)
