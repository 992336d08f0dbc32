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


class Power(torch.autograd.Function):
    """|STFT|^2 of [batch, samples] -> [batch, frames, window / 2 + 1]: centred frames, reflected ends, a quarter of the window apart, as `torch.stft`
    has them. Its gradient is one inverse real transform, where that of `torch.stft` goes through complex ones of twice the size."""

    @staticmethod
    def forward(ctx, x, window):
        n = window.shape[0]
        padded = torch.nn.functional.pad(x[:, None], (n // 2, n // 2), mode="reflect")[:, 0]
        spectrum = torch.fft.rfft(padded.unfold(1, n, n // 4) * window)
        ctx.save_for_backward(spectrum, window)
        ctx.samples = x.shape[1]
        return spectrum.real.square() + spectrum.imag.square()

    @staticmethod
    def backward(ctx, gradient):
        spectrum, window = ctx.saved_tensors
        n, samples = window.shape[0], ctx.samples
        hop, half = n // 4, n // 2
        spectrum = spectrum * (2 * gradient)
        spectrum[..., 1:-1] *= 0.5                       # the inverse transform counts the inner bins twice
        frames = torch.fft.irfft(spectrum, n=n, norm="forward") * window
        batch, count, _ = frames.shape
        padded = frames.new_zeros(batch, max(count + 3, -(-(samples + n) // hop)) * hop)
        blocks, frames = padded.view(batch, -1, hop), frames.view(batch, count, 4, hop)
        for i in range(4):
            blocks[:, i:i + count] += frames[:, :, i]
        out = padded[:, half:half + samples].clone()
        out[:, 1:half + 1] += padded[:, :half].flip(1)
        out[:, samples - 1 - half:samples - 1] += padded[:, half + samples:samples + n].flip(1)
        return out, None


class MelDistance(torch.nn.Module):
    """Mean absolute difference of log-mel spectra (natural log, floor 1e-3 of amplitude 1 windows), averaged over resolutions."""

    def __init__(self):
        super().__init__()
        for n, bands in RESOLUTIONS:
            self.register_buffer(f"window_{n}", torch.hann_window(n), persistent=False)
            self.register_buffer(f"mel_{n}", mel_matrix(n, bands), persistent=False)

    def log(self, x, n):
        power = Power.apply(x, getattr(self, f"window_{n}"))
        return torch.log(torch.sqrt(power @ getattr(self, f"mel_{n}") + 1e-8) / math.sqrt(n) + 1e-3)

    def forward(self, x, y):
        """x, y: [batch, samples]; x is the reference and gets no gradient."""
        total = 0.0
        for n, _ in RESOLUTIONS:
            with torch.no_grad():
                wanted = self.log(x, n)
            total = total + (wanted - self.log(y, n)).abs().mean()
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

    def log(self, x, n):
        power = Power.apply(x, getattr(self, f"window_{n}"))
        return torch.log(torch.sqrt(power + 1e-8) / math.sqrt(n) + 1e-3)

    def forward(self, x, y, only=None):
        """x, y: [batch, samples]; x is the reference and gets no gradient. `only`: one of the windows instead of the average over all."""
        total, windows = 0.0, self.windows if only is None else (only,)
        for n in windows:
            with torch.no_grad():
                wanted = self.log(x, n)
            total = total + (wanted - self.log(y, n)).abs().mean()
        return total / len(windows)
