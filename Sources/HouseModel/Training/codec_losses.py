"""What the codec is asked to keep: the waveform, relative to its energy, and log-mel spectra at several resolutions."""
import math

import torch

RATE = 32000
RESOLUTIONS = ((2048, 80), (1024, 80), (512, 48), (256, 24))      # window in samples, mel bands; hop is a quarter


def mel_matrix(window, bands, low=30.0, high=16000.0):
    """Triangular mel filters [window / 2 + 1, bands], each of unit sum."""
    def mel(f):
        return 2595 * math.log10(1 + f / 700)
    edges = 700 * (10 ** (torch.linspace(mel(low), mel(high), bands + 2) / 2595) - 1)
    bins = torch.linspace(0, RATE / 2, window // 2 + 1)
    up = (bins[:, None] - edges[None, :-2]) / (edges[1:-1] - edges[:-2])
    down = (edges[None, 2:] - bins[:, None]) / (edges[2:] - edges[1:-1])
    filters = torch.clamp(torch.minimum(up, down), min=0)
    empty = filters.sum(0) == 0
    centres = (edges[1:-1] / (RATE / window)).round().long().clamp(max=window // 2)
    filters[centres[empty], torch.nonzero(empty)[:, 0]] = 1
    return filters / filters.sum(0)


class MelDistance(torch.nn.Module):
    """Mean absolute difference of log-mel spectra (natural log, floor 1e-3 of amplitude 1 windows), averaged over resolutions."""

    def __init__(self):
        super().__init__()
        for n, bands in RESOLUTIONS:
            self.register_buffer(f"window_{n}", torch.hann_window(n), persistent=False)
            self.register_buffer(f"mel_{n}", mel_matrix(n, bands), persistent=False)

    def forward(self, x, y):
        """x, y: [batch, samples]. Returns the log-mel distance and the spectral convergence of linear mel energies."""
        total = 0.0
        both = torch.cat([x, y])
        for n, _ in RESOLUTIONS:
            window = getattr(self, f"window_{n}")
            s = torch.stft(both, n, n // 4, window=window, return_complex=True)
            power = s.real.square() + s.imag.square()
            amplitude = torch.sqrt(power.transpose(1, 2) @ getattr(self, f"mel_{n}") + 1e-8) / math.sqrt(n)
            log = torch.log(amplitude + 1e-3)
            a, b = log.chunk(2)
            total = total + (a - b).abs().mean()
        return total / len(RESOLUTIONS)


def waveform_error(x, y):
    """Sum of squares of the error over that of the signal, mean over the batch; each item counts at most like 4."""
    x, y = x.flatten(1), y.flatten(1)
    ratio = (x - y).square().sum(1) / (x.square().sum(1) + 1e-2)
    return ratio.clamp(max=4.0).mean()


def si_sdr(x, y):
    """Scale-invariant signal-to-distortion ratio in dB per item; x: reference. [batch, samples] -> [batch]."""
    x, y = x - x.mean(1, keepdim=True), y - y.mean(1, keepdim=True)
    scale = (x * y).sum(1, keepdim=True) / (x.square().sum(1, keepdim=True) + 1e-9)
    target = scale * x
    return 10 * torch.log10(target.square().sum(1) / ((y - target).square().sum(1) + 1e-9) + 1e-9)


class FineDistance(torch.nn.Module):
    """Mean absolute difference of log magnitudes on a linear frequency axis (natural log, floor 1e-3), averaged over windows of 4,096, 2,048 and 1,024 samples.

    Mel bands above 2 kHz are wider than 100 Hz, so a comb of steady tones, which is what transposed convolutions make of noise, sounds
    right to `MelDistance`; its valleys do not to this one.
    """

    def __init__(self, windows=(4096, 2048, 1024)):
        super().__init__()
        for n in windows:
            self.register_buffer(f"window_{n}", torch.hann_window(n), persistent=False)
        self.windows = windows

    def forward(self, x, y):
        """x, y: [batch, samples]."""
        both, total = torch.cat([x, y]), 0.0
        for n in self.windows:
            s = torch.stft(both, n, n // 4, window=getattr(self, f"window_{n}"), return_complex=True)
            a, b = torch.log(torch.sqrt(s.real.square() + s.imag.square() + 1e-8) / math.sqrt(n) + 1e-3).chunk(2)
            total = total + (a - b).abs().mean()
        return total / len(self.windows)
