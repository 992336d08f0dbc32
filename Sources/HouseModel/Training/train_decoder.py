"""Trains the codec's decoder alone: `python -m Training.train_decoder --work DIR --house HOUSE --minutes 40 [--resume] [--out HOUSE]`.

Encoder and codebooks stay as they are, and with them every code: the catalogue, the language model, probes and bundles keep their meaning while what they
sound like gets better. The decoder hears the codes that tokenise.py wrote and is asked for the waveform and the log-mel spectra of the song; in the last
--adversarial share of the time also for what the discriminators listen to. Windows have a margin on both sides that is not judged, since the convolutions and the LSTM
there miss what came before. The exported weights are an average of the last updates (0.998 of the old, 0.002 of the new at each). decoder.pt is written every two minutes, a line into
decoder.csv per 100 updates. --out copies HOUSE there with the decoder replaced, in half precision.
"""
import argparse
import copy
import csv
import math
import os
import shutil
import time

import torch
from safetensors.torch import load_file, save_file
from transformers import MusicgenForConditionalGeneration

from . import workspace
from .adversarial import Discriminators
from .codec_losses import FineDistance, MelDistance, si_sdr, waveform_error
from .data import STEP, Windows
from .tokenise import codes_array

MARGIN = 5          # codec steps on both sides
AVERAGE = 0.998
FIELDS = ("update", "seconds", "wave", "mel", "fine", "hinge", "feature", "si_sdr", "mel_validation", "fine_validation")


class CodedWindows(Windows):
    """Windows of songs that have codes, with the vectors of their codes as the decoder hears them."""

    def __init__(self, work, split, steps, tables, seed):
        super().__init__(work, split, steps, seed)
        self.codes, flags = codes_array(work, split)
        self.tables = tables
        self.songs = [song for song in self.songs if flags[song]]

    def coded(self, n):
        """audio [n, samples] and latents [n, 64, steps]."""
        audio, _ = self.draw(n)
        codes = torch.stack([torch.from_numpy(self.codes[song, :, at:at + self.steps].astype("int64")) for song, at in self.places])
        return audio[:, 0], sum(table[codes[:, k]] for k, table in enumerate(self.tables)).transpose(1, 2)


def inside(x):
    """Without the margins: [batch, samples] -> [batch, samples - 2 * MARGIN * STEP]."""
    return x[..., MARGIN * STEP:-MARGIN * STEP]


@torch.no_grad()
def validate(decoder, held, mel, fine):
    """SI-SDR in dB, log-mel distance and the distance on a linear frequency axis, over held windows."""
    audio, latents = held
    y = torch.cat([decoder(part)[:, 0] for part in latents.split(16)])
    a, b = inside(audio), inside(y)
    return dict(si_sdr=si_sdr(a, b).mean().item(), mel_validation=mel(a, b).item(), fine_validation=fine(a, b).item())


def export(decoder, house, out):
    """Copies the house model with this decoder in it."""
    if os.path.abspath(house) != os.path.abspath(out):
        shutil.copytree(house, out, dirs_exist_ok=True)
    path = os.path.join(house, "model.safetensors")
    tensors = load_file(path)
    for name, value in decoder.state_dict().items():
        key = "audio_encoder.decoder." + name
        tensors[key] = value.detach().to(tensors[key].dtype).contiguous().clone()
    part = os.path.join(out, "model.safetensors.part")
    save_file(tensors, part, metadata=dict(format="pt"))
    os.replace(part, os.path.join(out, "model.safetensors"))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    workspace.add_option(parser)
    parser.add_argument("--house", required=True, help="the house model whose decoder is trained on")
    parser.add_argument("--minutes", type=float, default=40)
    parser.add_argument("--batch", type=int, default=12)
    parser.add_argument("--steps", type=int, default=50, help="window length in codec steps of 20 ms, margins included")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rate", type=float, default=1e-3, help="learning rate at the start; it falls to a twentieth")
    parser.add_argument("--wave", type=float, default=1.0, help="weight of the waveform's error")
    parser.add_argument("--fine", type=float, default=1.0, help="weight of the distance of log magnitudes on a linear frequency axis")
    parser.add_argument("--adversarial", type=float, default=0.0, help="share of the time, at its end, with discriminators")
    parser.add_argument("--resume", action="store_true", help="go on from decoder.pt in the work folder")
    parser.add_argument("--out")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(12)
    codec = MusicgenForConditionalGeneration.from_pretrained(options.house).audio_encoder.float()
    tables = [layer.codebook.embed.float() for layer in codec.quantizer.layers]
    decoder, mel, fine, judges = codec.decoder, MelDistance(), FineDistance(), Discriminators()
    average = copy.deepcopy(decoder).requires_grad_(False)
    optimiser = torch.optim.Adam(decoder.parameters(), lr=options.rate, betas=(0.8, 0.99))
    judges_optimiser = torch.optim.Adam(judges.parameters(), lr=3e-4, betas=(0.5, 0.9))
    kept_here = dict(decoder=decoder, average=average, optimiser=optimiser, judges=judges, judges_optimiser=judges_optimiser)
    path, update, spent = os.path.join(options.work, "decoder.pt"), 0, 0.0
    if options.resume and os.path.exists(path):
        kept = torch.load(path, weights_only=True)
        for name, thing in kept_here.items():
            thing.load_state_dict(kept[name])
        update, spent = kept["update"], kept["spent"]
    first = update
    data = CodedWindows(options.work, "train", options.steps, tables, update + 13)
    held = CodedWindows(options.work, "validation", 150, tables, 5).coded(48)
    begin, budget, saved, sums = time.time() - spent, options.minutes * 60, time.time(), {}
    log = csv.DictWriter(open(os.path.join(options.work, "decoder.csv"), "a" if update else "w", buffering=1), FIELDS)
    if not update:
        log.writeheader()
        print("before:", validate(average, held, mel, fine), flush=True)

    def save():
        torch.save({name: thing.state_dict() for name, thing in kept_here.items()} | dict(update=update, spent=time.time() - begin), path + ".part")
        os.replace(path + ".part", path)

    while (now := time.time() - begin) < budget:
        share = now / budget
        for group in optimiser.param_groups:
            group["lr"] = options.rate * (0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * share))) * min(1, (update - first + 1) / 50)
        audio, latents = data.coded(options.batch)
        with torch.autocast("cpu", torch.bfloat16):
            y = decoder(latents)[:, 0]
        y = inside(y.float())
        audio = inside(audio)
        values = dict(wave=waveform_error(audio, y), mel=mel(audio, y), fine=fine(audio, y))
        loss = options.wave * values["wave"] + values["mel"] + options.fine * values["fine"]
        if share > 1 - options.adversarial:
            judges_optimiser.zero_grad(set_to_none=True)
            judges.loss(audio, y.detach()).backward()
            judges_optimiser.step()
            values["hinge"], values["feature"] = judges.judge(audio, y)
            loss = loss + 0.1 * values["hinge"] + 0.3 * values["feature"]
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(decoder.parameters(), 3.0)
        optimiser.step()
        update += 1
        with torch.no_grad():
            for old, new in zip(average.parameters(), decoder.parameters()):
                old.lerp_(new, 1 - min(AVERAGE, (update + 1) / (update + 10)))
        for name, value in values.items():
            sums.setdefault(name, []).append(value.item())
        if update % 100 == 0:
            row = {name: round(sum(some) / len(some), 4) for name, some in sums.items()}
            sums = {}
            if update % 500 == 0:
                row |= {name: round(value, 4) for name, value in validate(average, held, mel, fine).items()}
            log.writerow(row | dict(update=update, seconds=round(now)))
            print(update, f"{now:.0f} s", row, flush=True)
        if time.time() - saved > 120:
            save()
            saved = time.time()
    save()
    print("after:", validate(average, held, mel, fine), flush=True)
    if options.out:
        export(average, options.house, options.out)


if __name__ == "__main__":
    main()
