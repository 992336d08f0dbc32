"""Trains the diffusion transformer: `python -m Training.train_dit --work DIR --house DIR --minutes 20 [--resume] [--out DIR]`.

The layout of stable-audio-tools: `create_model_from_config` reads the written model_config.json, the checkpoint's names are its names. v-objective,
alpha = cos(pi t / 2), sigma = sin(pi t / 2), t uniform; latents of the house codec as its quantiser gives them back from the codes of tokenise.py, so that the
catalogue, which ships as codes, holds the very latents that were trained on; each channel normalised to mean 0 and deviation 1 (tensors latent.mean, latent.deviation in normalisation.safetensors); cross-attention on the states of the house model's text encoder (before
enc_to_dec_proj; zero vectors where the caption is dropped, 20 %), a prepended global token from the length in seconds. Matrices of the layers by Muon, the rest by AdamW, as the language model's.
"""
import argparse
import csv
import json
import math
import os
import random
import time

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from transformers import MusicgenForConditionalGeneration

from . import shapes, text, workspace
from .captions import caption
from .catalogue_plan import song
from .note import GROUPS
from .tokenise import codes_array
from .windows import pad

TOKENS, SECONDS_MAXIMUM = 48, 32
MUON_RATE, ADAM_RATE = 2e-3, 1e-3
CONFIGURATION = dict(
    model_type="diffusion_cond", sample_size=1500 * 640, sample_rate=32000, audio_channels=1,
    model=dict(
        io_channels=shapes.LATENT,
        conditioning=dict(cond_dim=128, configs=[dict(id="seconds_total", type="number", config=dict(min_val=0, max_val=SECONDS_MAXIMUM))]),
        diffusion=dict(
            type="dit", diffusion_objective="v", cross_attention_cond_ids=["prompt"], global_cond_ids=["seconds_total"],
            config=dict(io_channels=shapes.LATENT, embed_dim=256, depth=6, num_heads=4, cond_token_dim=128, global_cond_dim=128, project_cond_tokens=False, transformer_type="continuous_transformer", global_cond_type="prepend")),
        io_sample_rate=50))


class Conditioned(torch.nn.Module):
    """DiffusionTransformer and NumberEmbedder of stable-audio-tools under the names that its own wrapper gives them.

    Its wrapper imports audio and sampling packages that training does not need; `create_model_from_config` of a full installation
    loads what this one saves.
    """

    def __init__(self):
        super().__init__()
        from stable_audio_tools.models.adp import NumberEmbedder
        from stable_audio_tools.models.dit import DiffusionTransformer
        self.model = torch.nn.Module()
        self.model.model = DiffusionTransformer(diffusion_objective="v", **CONFIGURATION["model"]["diffusion"]["config"])
        seconds = torch.nn.Module()
        seconds.embedder = NumberEmbedder(features=128)
        self.conditioner = torch.nn.Module()
        self.conditioner.conditioners = torch.nn.ModuleDict(dict(seconds_total=seconds))

    def forward(self, x, t, told, seconds):
        """x: [batch, 64, steps], t: [batch], told: [batch, 48, 128], seconds: [batch] -> v [batch, 64, steps]."""
        token = self.conditioner.conditioners["seconds_total"].embedder((seconds / SECONDS_MAXIMUM).clamp(0, 1))
        return self.model.model(x, t, cross_attn_cond=told, global_embed=token)


def books(house):
    """The codec's codebooks, [4, 1024, 64]."""
    return torch.stack([layer.codebook.embed.float() for layer in house.audio_encoder.quantizer.layers[:shapes.BOOKS]])


def latents(codes, tables):
    """codes [..., 4, steps] -> [..., 64, steps]: the sum of the books' vectors."""
    codes = torch.from_numpy(np.asarray(codes, dtype=np.int64))
    return sum(tables[k][codes[..., k, :]] for k in range(shapes.BOOKS)).transpose(-1, -2)


def normalisation(work, tables):
    """Mean and deviation of every latent channel over 64 training songs, [64] each."""
    codes, flags = codes_array(work, "train")
    x = latents(codes[np.flatnonzero(flags)[:64]], tables)
    return x.mean((0, 2)), x.std((0, 2)) + 1e-4


class LatentWindows:
    """Random windows of normalised latents with padded text ids of their captions."""

    def __init__(self, work, split, tokenizer, statistics, tables, seed):
        self.codes, flags = codes_array(work, split)
        self.activity, self.songs, self.tables = workspace.array(work, "activity", split), np.flatnonzero(flags), tables
        self.split, self.tokenizer, self.rng, (self.mean, self.deviation) = split, tokenizer, np.random.default_rng(seed), statistics
        self.facts = {}

    def about(self, index):
        """The song without its notes."""
        if index not in self.facts:
            piece = song(self.split, index)
            piece.notes, piece.bars = {}, []
            self.facts[index] = piece
        return self.facts[index]

    def draw(self, batch, steps):
        xs, texts = [], []
        for _ in range(batch):
            index, at = int(self.rng.choice(self.songs)), int(self.rng.integers(0, workspace.STEPS - steps + 1))
            x = latents(self.codes[index, :, at:at + steps], self.tables)
            xs.append((x - self.mean[:, None]) / self.deviation[:, None])
            active = self.activity[index, at:at + steps]
            groups = [g for n, g in enumerate(GROUPS) if active[:, n].mean() > 0.08]
            texts.append(self.tokenizer(caption(self.about(index), groups, random.Random(int(self.rng.integers(1 << 62)))))[:TOKENS])
        return torch.stack(xs), texts


@torch.no_grad()
def states(house, texts, keep):
    """Text states [batch, 48, 128], zero behind the text and where keep is false."""
    ids, mask = pad(texts)
    out = torch.zeros(len(texts), TOKENS, 128)
    out[:, :ids.shape[1]] = house.text_encoder(input_ids=ids, attention_mask=mask).last_hidden_state * mask[..., None]
    return out * keep[:, None, None]


def loss(model, x, told, seconds, t, noise):
    """Mean squared error of the v-objective. x, noise: [batch, 64, steps]; t: [batch]."""
    alpha, sigma = torch.cos(t * math.pi / 2)[:, None, None], torch.sin(t * math.pi / 2)[:, None, None]
    out = model(x * alpha + noise * sigma, t, told, torch.full((len(x),), float(seconds)))
    return (out - (noise * alpha - x * sigma)).square().mean()


def export(model, statistics, path):
    """model_config.json, model.safetensors (half precision, names of stable-audio-tools), normalisation.safetensors."""
    os.makedirs(path, exist_ok=True)
    with open(os.path.join(path, "model_config.json"), "w") as f:
        json.dump(CONFIGURATION, f, indent=2)
    save_file({n: t.detach().half().contiguous().clone() for n, t in model.state_dict().items()}, os.path.join(path, "model.safetensors"))
    save_file({"latent.mean": statistics[0].contiguous(), "latent.deviation": statistics[1].contiguous()}, os.path.join(path, "normalisation.safetensors"))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    workspace.add_option(parser)
    parser.add_argument("--house", required=True, help="exported house model: its text encoder conditions this one")
    parser.add_argument("--minutes", type=float, default=20)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--from", dest="source", help="start from an exported diffusion transformer, of an earlier codec too")
    parser.add_argument("--out")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(6)
    house = MusicgenForConditionalGeneration.from_pretrained(options.house).float().eval()
    model = Conditioned()
    if options.source:
        model.load_state_dict({n: t.float() for n, t in load_file(os.path.join(options.source, "model.safetensors")).items()})
    tables = books(house)
    statistics = normalisation(options.work, tables)
    matrices = [p for n, p in model.named_parameters() if p.dim() == 2 and ".layers." in n]
    chosen = {id(p) for p in matrices}
    optimisers = dict(
        muon=torch.optim.Muon(matrices, lr=MUON_RATE, weight_decay=0.03, momentum=0.95, adjust_lr_fn="match_rms_adamw", ns_steps=3),
        adam=torch.optim.AdamW([p for p in model.parameters() if id(p) not in chosen], lr=ADAM_RATE, betas=(0.9, 0.95), weight_decay=0.01))
    path, update, spent = os.path.join(options.work, "dit.pt"), 0, 0.0
    if options.resume and os.path.exists(path):
        kept = torch.load(path, weights_only=True)
        model.load_state_dict(kept["model"])
        for name, optimiser in optimisers.items():
            optimiser.load_state_dict(kept[name])
        update, spent = kept["update"], kept["spent"]
    tokenizer = text.Tokenizer(options.house)
    data = LatentWindows(options.work, "train", tokenizer, statistics, tables, update + 9)
    held_x, held_texts = LatentWindows(options.work, "validation", tokenizer, statistics, tables, 10).draw(16, options.steps)
    fixed = torch.Generator().manual_seed(11)
    held_t, held_noise = torch.rand(16, generator=fixed), torch.randn(held_x.shape, generator=fixed)
    begin, budget, saved, total = time.time() - spent, options.minutes * 60, time.time(), []
    log = csv.writer(open(os.path.join(options.work, "dit.csv"), "a" if update else "w", buffering=1))
    if not update:
        log.writerow(("update", "seconds", "loss", "validation"))

    def save():
        torch.save({name: optimiser.state_dict() for name, optimiser in optimisers.items()} | dict(model=model.state_dict(), update=update, spent=time.time() - begin), path + ".part")
        os.replace(path + ".part", path)

    while (now := time.time() - begin) < budget:
        scale = min(1, (update + 1) / 50) * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * now / budget)))
        optimisers["muon"].param_groups[0]["lr"], optimisers["adam"].param_groups[0]["lr"] = MUON_RATE * scale, ADAM_RATE * scale
        x, texts = data.draw(options.batch, options.steps)
        with torch.autocast("cpu", torch.bfloat16):
            value = loss(model, x, states(house, texts, (torch.rand(len(texts)) > 0.2).float()), options.steps / 50, torch.rand(len(x)), torch.randn_like(x))
        value.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for optimiser in optimisers.values():
            optimiser.step()
            optimiser.zero_grad(set_to_none=True)
        update += 1
        total.append(value.item())
        if update % 50 == 0:
            with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
                held = loss(model, held_x, states(house, held_texts, torch.ones(16)), options.steps / 50, held_t, held_noise).item()
            log.writerow((update, round(now), round(sum(total) / len(total), 4), round(held, 4)))
            print(update, f"{now:.0f} s", round(sum(total) / len(total), 4), round(held, 4), flush=True)
            total = []
        if time.time() - saved > 120:
            save()
            saved = time.time()
    save()
    if options.out:
        export(model, statistics, options.out)


if __name__ == "__main__":
    main()
