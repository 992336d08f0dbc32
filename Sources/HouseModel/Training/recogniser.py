"""The recogniser: which groups sound in each second. A small 1-D convolutional network over log-mel frames.

In: 32 kHz mono audio. Front end: STFT (Hann window of 2048, hop 640, centred, reflect padding), power, 96 mel bands, natural log of
(energy + 1e-5) -> (96, frames), 50 frames a second. Network: five convolutions, each followed by ReLU, strides 1 2 2 1 1, so 12.5
frames a second; the last hidden layer (128) is the embedding for Frechet distances; a 1 x 1 convolution gives 5 logits per frame.
Out per second: the mean of the logits of its frames. It is no part of the generator and shares nothing with it.
"""
import json
import os

import torch

from .codec_losses import mel_matrix
from .note import GROUPS

WINDOW, HOP, BANDS, HIDDEN = 2048, 640, 96, 128
LAYERS = ((BANDS, 160, 5, 1, 1), (160, 192, 5, 2, 1), (192, 224, 5, 2, 1), (224, 224, 5, 1, 1), (224, HIDDEN, 3, 1, 2))     # in, out, kernel, stride, dilation


def front_end(audio, mel, window):
    """audio [batch, samples], a multiple of 640 -> log-mel [batch, bands, samples / 640]."""
    s = torch.stft(audio, WINDOW, HOP, window=window, center=True, pad_mode="reflect", return_complex=True)[..., :-1]
    power = s.real.square() + s.imag.square()
    return torch.log(mel.t() @ power + 1e-5)


class Recogniser(torch.nn.Module):
    """Normalisation layers are trained and folded into the convolutions on export."""

    def __init__(self):
        super().__init__()
        self.register_buffer("mel", mel_matrix(WINDOW, BANDS))
        self.register_buffer("window", torch.hann_window(WINDOW))
        self.input_norm = torch.nn.BatchNorm1d(BANDS)
        self.convolutions = torch.nn.ModuleList(torch.nn.Conv1d(i, o, k, stride=s, dilation=d, padding=d * (k - 1) // 2) for i, o, k, s, d in LAYERS)
        self.norms = torch.nn.ModuleList(torch.nn.BatchNorm1d(o) for _, o, _, _, _ in LAYERS)
        self.read = torch.nn.Conv1d(HIDDEN, len(GROUPS), 1)

    def frames(self, audio):
        """audio [batch, samples] -> hidden [batch, 128, frames / 4] and logits [batch, 5, frames / 4]."""
        x = self.input_norm(front_end(audio, self.mel, self.window))
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


def export(model, path, figures):
    """recogniser.safetensors (half precision; the mel matrix and window in float32) and recogniser.json."""
    from safetensors.torch import save_file
    model.eval()
    tensors = {"mel": model.mel.contiguous(), "window": model.window.contiguous()}
    scale = model.input_norm.weight / torch.sqrt(model.input_norm.running_var + model.input_norm.eps)
    tensors["input.scale"] = scale.detach().clone()
    tensors["input.shift"] = (model.input_norm.bias - model.input_norm.running_mean * scale).detach().clone()
    for n, (convolution, norm) in enumerate(zip(model.convolutions, model.norms)):
        gain = norm.weight / torch.sqrt(norm.running_var + norm.eps)
        tensors[f"convolution.{n}.weight"] = (convolution.weight * gain[:, None, None]).detach().half().contiguous()
        tensors[f"convolution.{n}.bias"] = (norm.bias + (convolution.bias - norm.running_mean) * gain).detach().half().contiguous()
    tensors["read.weight"] = model.read.weight.detach().half().contiguous()
    tensors["read.bias"] = model.read.bias.detach().half().contiguous()
    os.makedirs(path, exist_ok=True)
    save_file(tensors, os.path.join(path, "recogniser.safetensors"))
    note = dict(
        format="continuo-recogniser", version=1, licence="CC0-1.0", made_by="Continuo house band", sampling_rate=32000, groups=list(GROUPS),
        front_end=dict(window=WINDOW, hop=HOP, window_shape="periodic Hann, tensor window", centred=True, padding=f"reflect, {WINDOW // 2} samples at both ends",
                       frames="frame t is centred on sample 640 t; samples / 640 frames", spectrum=f"power, {WINDOW // 2 + 1} bins, no scaling",
                       mel=f"tensor mel [{WINDOW // 2 + 1}, {BANDS}], applied to the power", log="natural log of (energy + 1e-5)"),
        input="per band: x * input.scale + input.shift",
        layers=[dict(kind="convolution", tensor=f"convolution.{n}", input=i, output=o, kernel=k, stride=s, dilation=d, padding=d * (k - 1) // 2, padding_value=0, activation="relu") for n, (i, o, k, s, d) in enumerate(LAYERS)],
        embedding="output of the last layer, 128 channels at 12.5 Hz",
        read="1 x 1 convolution to 5 logits per frame at 12.5 Hz",
        seconds="second n: mean over frames ceil(12.5 n) to ceil(12.5 (n + 1)) - 1; a group sounds where its mean logit is above 0",
        figures=figures)
    with open(os.path.join(path, "recogniser.json"), "w") as f:
        json.dump(note, f, indent=2)
