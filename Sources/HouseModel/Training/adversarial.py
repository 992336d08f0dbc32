"""The codec's last stage: discriminators on complex spectrograms at three resolutions, hinge and feature losses (as EnCodec's MS-STFT).

Only used with `train_codec --adversarial SHARE`; nothing of it is exported.
"""
import torch
from torch.nn import functional

RESOLUTIONS = (2048, 1024, 512)


class SpectrogramDiscriminator(torch.nn.Module):
    """Judges real and imaginary part of one STFT. In: [batch, samples]; out: logits [batch, 1, frames, bands] and the layers before."""

    def __init__(self, window, channels=16):
        super().__init__()
        self.size = window
        self.register_buffer("window", torch.hann_window(window), persistent=False)
        norm = torch.nn.utils.parametrizations.weight_norm
        strides = ((1, 1), (1, 2), (1, 2), (1, 2))
        sizes = [2, channels, channels, 2 * channels, 2 * channels]
        self.layers = torch.nn.ModuleList(norm(torch.nn.Conv2d(i, o, (3, 7), stride=s, padding=(1, 3))) for i, o, s in zip(sizes, sizes[1:], strides))
        self.judge = norm(torch.nn.Conv2d(sizes[-1], 1, 3, padding=1))

    def forward(self, x):
        s = torch.stft(x, self.size, self.size // 4, window=self.window, normalized=True, return_complex=True)
        h = torch.stack([s.real, s.imag], 1).transpose(2, 3)
        features = []
        for layer in self.layers:
            h = functional.leaky_relu(layer(h), 0.2)
            features.append(h)
        return self.judge(h), features


class Discriminators(torch.nn.Module):
    """All resolutions, with their own optimiser outside."""

    def __init__(self):
        super().__init__()
        self.each = torch.nn.ModuleList(SpectrogramDiscriminator(n) for n in RESOLUTIONS)

    def loss(self, real, made):
        """Hinge loss of the discriminators. real, made: [batch, samples]; made without gradient."""
        return sum(torch.relu(1 - d(real)[0]).mean() + torch.relu(1 + d(made)[0]).mean() for d in self.each) / len(self.each)

    def judge(self, real, made):
        """What the codec minimises: hinge loss of its output, and the distance of features relative to the real ones' size."""
        hinge = distance = 0.0
        for d in self.each:
            with torch.no_grad():
                wanted = d(real)[1]
            logits, features = d(made)
            hinge = hinge + torch.relu(1 - logits).mean()
            distance = distance + sum((a - b).abs().mean() / (b.abs().mean() + 1e-4) for a, b in zip(features, wanted)) / len(features)
        return hinge / len(self.each), distance / len(self.each)
