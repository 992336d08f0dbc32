"""Trains the codec: `python -m Training.train_codec --work DIR --minutes 40 [--resume] [--from CHECKPOINT_DIR]`.

Three stages: the energy-normalised waveform error alone (200 steps), log-mel distances with it (to step 1200), then the quantiser,
started by k-means on real latents, and the heads: presence of the groups read from all books, the spectrum read from the first. Muon (torch.optim.Muon) for matrices,
Adam for the rest; the learning rate falls to a twentieth along a cosine over the time given. Writes codec.pt (weights, averages, optimiser, clock) every two minutes and a line per 100 steps into codec.csv.
"""
import argparse
import csv
import math
import os
import time

import torch
from transformers import EncodecModel

from . import shapes, workspace
from .adversarial import Discriminators
from .codec_losses import FineDistance, MelDistance, si_sdr, waveform_error
from .data import Windows
from .quantiser import PresenceHead, QuantiserTrainer, SpectrumHead, turn

RATE_HIGH = 2e-3
SPECTRAL_FROM, QUANTISED_FROM = 200, 1200
EXACT_FROM = 0.8     # of the time: the encoder in float32 from here on, so that the books end on the codes of the exported model
PLAYS = 0.3          # of a window's steps: a group counts as present from here on
FIELDS = ("step", "seconds", "wave", "mel", "fine", "commit", "presence", "spectrum", "agreement", "same", "si_sdr", "si_sdr_unquantised", "mel_validation", "presence_validation", "perplexity_1", "perplexity_2", "perplexity_3", "perplexity_4")


def validate(model, quantiser, head, windows, mel, quantised):
    """SI-SDR through the quantiser and without, mel distance, presence accuracy, perplexity of each book."""
    model.eval()
    audio, activity = windows
    with torch.no_grad():
        z = torch.cat([model.encoder(a) for a in audio.split(16)])
        plain = torch.cat([model.decoder(p) for p in z.split(16)])
        out = dict(si_sdr_unquantised=si_sdr(audio[:, 0], plain[:, 0]).mean().item())
        if quantised:
            q, vectors, _, codes = quantiser.quantise(z, learn=False)
            y = torch.cat([model.decoder(p) for p in q.split(16)])
            out["si_sdr"] = si_sdr(audio[:, 0], y[:, 0]).mean().item()
            out["mel_validation"] = mel(audio[:, 0], y[:, 0]).item()
            out["presence_validation"] = ((head(vectors) > 0) == (activity.mean(1) > PLAYS)).float().mean().item()
            for i, c in enumerate(codes):
                p = torch.bincount(c.flatten(), minlength=shapes.CARDINALITY).float()
                p = p / p.sum()
                out[f"perplexity_{i + 1}"] = math.exp(-(p[p > 0] * p[p > 0].log()).sum().item())
    model.train()
    return out


class Optimisers:
    """Muon (torch.optim.Muon, orthogonalised momentum) for what is a matrix, Adam for the rest.

    That class takes matrices only: it is handed views, a convolution's kernel [out, in, width] as [out, in * width] and an LSTM's weights gate by gate.
    """

    def __init__(self, modules, rate):
        self.views, rest = [], []
        for p in (p for module in modules for p in module.parameters()):
            if p.dim() == 3 and p.shape[1] > 1 and min(p.shape[0], p[0].numel()) >= 8:
                self.views.append((torch.nn.Parameter(p.data.view(p.shape[0], -1)), p, slice(None)))
            elif p.dim() == 2 and p.shape[0] == 4 * p.shape[1]:
                rows = p.shape[1]
                self.views += [(torch.nn.Parameter(p.data[i * rows:(i + 1) * rows]), p, slice(i * rows, (i + 1) * rows)) for i in range(4)]
            else:
                rest.append(p)
        self.muon = torch.optim.Muon([view for view, _, _ in self.views], lr=rate, weight_decay=0.0, momentum=0.95, adjust_lr_fn="match_rms_adamw", ns_steps=3)
        self.adam = torch.optim.Adam(rest, lr=rate, betas=(0.8, 0.95))
        self.parameters = [p for module in modules for p in module.parameters()]

    def step(self, rate):
        """One update at this learning rate, from the gradients that are there; they are gone afterwards."""
        torch.nn.utils.clip_grad_norm_(self.parameters, 3.0)
        for view, p, rows in self.views:
            view.grad = None if p.grad is None else p.grad[rows].flatten(1)
        for optimiser in (self.muon, self.adam):
            for group in optimiser.param_groups:
                group["lr"] = rate
            optimiser.step()
        for p in self.parameters:
            p.grad = None

    def state_dict(self):
        return dict(muon=self.muon.state_dict(), adam=self.adam.state_dict())

    def load_state_dict(self, kept):
        self.muon.load_state_dict(kept["muon"])
        self.adam.load_state_dict(kept["adam"])


@torch.no_grad()
def start_quantiser(model, quantiser, reader, data, narrow, draws=40):
    """k-means on real latents; before it, where the first book is to have `narrow` dimensions to itself, turns them to what tells most of the spectra."""
    def latents(audio):
        return model.encoder(audio).transpose(1, 2).reshape(-1, shapes.LATENT)

    model.eval()
    windows = [data.draw(32)[0] for _ in range(draws)]
    if narrow:
        turn(model, torch.cat([latents(x) for x in windows]), torch.cat([reader.spectrum(x[:, 0]).reshape(-1, reader.BANDS) for x in windows]), narrow)
    quantiser.start(torch.cat([latents(x) for x in windows]))
    model.train()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    workspace.add_option(parser)
    parser.add_argument("--minutes", type=float, default=40)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--steps", type=int, default=25, help="window length in codec steps of 20 ms")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rate", type=float, default=RATE_HIGH, help="learning rate at the start; it falls to a twentieth")
    parser.add_argument("--wave", type=float, default=1.0, help="weight of the waveform's error")
    parser.add_argument("--fine", type=float, default=0.0, help="weight of the distance of log magnitudes on a linear frequency axis, one window's of three per update")
    parser.add_argument("--presence", type=float, default=0.25, help="weight of the presence head's loss")
    parser.add_argument("--spectrum", type=float, default=0.0, help="weight of the log-mel spectrum that is read from the first book")
    parser.add_argument("--same", type=float, default=0.0, help="weight on the first book's codes being those of copies moved by a part of a step")
    parser.add_argument("--narrow", type=int, default=0, help="dimensions of the latent that the first book has to itself, for its spectra (0: all)")
    parser.add_argument("--again", action="store_true", help="turns the latents and starts the quantiser anew: for --narrow on weights whose first book had all dimensions")
    parser.add_argument("--adversarial", type=float, default=0.0, help="share of the time, at its end, with discriminators")
    parser.add_argument("--resume", action="store_true", help="go on from codec.pt in the work folder")
    parser.add_argument("--from", dest="source", help="start from exported weights (a house model directory), quantiser on at once")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(1)
    model = EncodecModel(shapes.codec())
    head = PresenceHead(shapes.BOOKS, shapes.LATENT)
    reader = SpectrumHead(shapes.LATENT)
    mel, fine = MelDistance(), FineDistance()
    optimiser = Optimisers((model.encoder, model.decoder, head, reader), options.rate)
    judges = Discriminators()
    judges_optimiser = torch.optim.Adam(judges.parameters(), lr=3e-4, betas=(0.5, 0.9))
    step, spent, quantised = 0, 0.0, False
    path = os.path.join(options.work, "codec.pt")
    if options.source:
        from transformers import MusicgenForConditionalGeneration
        model.load_state_dict(MusicgenForConditionalGeneration.from_pretrained(options.source).audio_encoder.float().state_dict())
        quantised, step = True, QUANTISED_FROM
    kept = torch.load(path, weights_only=True) if options.resume and os.path.exists(path) else None
    if kept:
        model.load_state_dict(kept["model"])
        quantised, step = True, QUANTISED_FROM
    quantiser = QuantiserTrainer(model, options.narrow)
    if kept and "optimiser" in kept:       # weights alone are gone on from, too
        head.load_state_dict(kept["head"])
        reader.load_state_dict(kept["reader"])
        optimiser.load_state_dict(kept["optimiser"])
        judges.load_state_dict(kept["judges"])
        quantiser.load(kept["quantiser"])
        step, spent, quantised = kept["step"], kept["spent"], kept["quantised"]
    first = step
    if options.again:
        start_quantiser(model, quantiser, reader, Windows(options.work, "train", options.steps, seed=3), options.narrow)
        quantised = True
    data = Windows(options.work, "train", options.steps, seed=step)
    held = Windows(options.work, "validation", 150, seed=5).draw(48)
    budget, begin, saved = options.minutes * 60, time.time() - spent, time.time()
    log_path = os.path.join(options.work, "codec.csv")
    new = not os.path.exists(log_path) or not options.resume
    log = csv.DictWriter(open(log_path, "w" if new else "a", buffering=1), FIELDS)
    if new:
        log.writeheader()
    sums, seen = {}, 0

    def save(path=path):
        torch.save(dict(model=model.state_dict(), head=head.state_dict(), reader=reader.state_dict(), optimiser=optimiser.state_dict(), judges=judges.state_dict(), quantiser=quantiser.state(), step=step, spent=time.time() - begin, quantised=quantised), path + ".part")
        os.replace(path + ".part", path)

    while (now := time.time() - begin) < budget:
        share = now / budget
        rate = options.rate * (0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * share)))
        if not quantised and step >= QUANTISED_FROM:
            start_quantiser(model, quantiser, reader, data, options.narrow)
            quantised = True
            print(f"step {step}: quantiser on", flush=True)
        copies = options.batch // 4 if quantised and options.same > 0 else 0
        audio, activity = data.draw(options.batch, copies)
        with torch.autocast("cpu", torch.bfloat16, enabled=share < EXACT_FROM):
            z = model.encoder(audio).float()
        commit = presence = spectrum = agreement = same = torch.zeros(())
        if quantised:
            latents = z
            z, vectors, commit, codes = quantiser.quantise(latents, learn=True)
            if options.spectrum > 0:
                spectrum = reader(vectors[0], audio[:, 0])
            if copies:
                agreement, same = quantiser.agreement(latents, codes[0], (list(range(copies)), list(range(options.batch - copies, options.batch))))
            presence = torch.nn.functional.binary_cross_entropy_with_logits(head(vectors), (activity.mean(1) > PLAYS).float())
        with torch.autocast("cpu", torch.bfloat16):
            y = model.decoder(z)
        y = y.float()
        wave = waveform_error(audio, y)
        distance = mel(audio[:, 0], y[:, 0]) if step >= SPECTRAL_FROM else torch.zeros(())
        loss = options.wave * wave + 0.6 * distance + 0.1 * commit + options.presence * presence + options.spectrum * spectrum + options.same * agreement
        linear = torch.zeros(())
        if quantised and options.fine > 0:
            linear = fine(audio[:, 0], y[:, 0], only=fine.windows[step % len(fine.windows)])
            loss = loss + options.fine * linear
        if quantised and share > 1 - options.adversarial:
            judges_optimiser.zero_grad(set_to_none=True)
            judges.loss(audio[:, 0], y[:, 0].detach()).backward()
            judges_optimiser.step()
            hinge, feature = judges.judge(audio[:, 0], y[:, 0])
            loss = loss + 0.1 * hinge + 0.2 * feature
        loss.backward()
        optimiser.step(rate * min(1, (step - first + 1) / 50))
        step, seen = step + 1, seen + 1
        for name, value in (("wave", wave), ("mel", distance), ("fine", linear), ("commit", commit), ("presence", presence), ("spectrum", spectrum), ("agreement", agreement), ("same", same)):
            sums[name] = sums.get(name, 0.0) + value.item()
        if step % 100 == 0:
            row = {k: round(v / seen, 4) for k, v in sums.items()}
            sums, seen = {}, 0
            if step % 500 == 0:
                row |= {k: round(v, 4) for k, v in validate(model, quantiser, head, held, mel, quantised).items()}
                data.refresh()
            log.writerow(row | dict(step=step, seconds=round(time.time() - begin)))
            print(step, f"{time.time() - begin:.0f} s", row, flush=True)
        if time.time() - saved > 120:
            save()
            saved = time.time()
    save()
    print(f"{step} steps in {time.time() - begin:.0f} s", flush=True)


if __name__ == "__main__":
    main()
