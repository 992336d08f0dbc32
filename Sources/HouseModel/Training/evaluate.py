"""The figures of the model card: `python -m Training.evaluate PART --work DIR --house DIR [--songs N] [--json FILE]`.

PART: codec | language | heads | continuation | text | all. Everything is measured on test songs that no training saw. Needs librosa for
tempo and chroma, and opusenc / opusdec (package opus-tools) for the comparison with Opus; what is missing is left out and said.
"""
import argparse
import json
import math
import os
import random
import shutil
import subprocess
import tempfile
import time

import numpy as np
import torch
from transformers import MusicgenForConditionalGeneration

from . import shapes, text, workspace
from .captions import caption
from .catalogue_plan import song
from .codec_losses import MelDistance, si_sdr
from .data import Windows
from .generate import decode, sample
from .linear_probe import accuracy_table
from .note import GROUPS
from .recogniser import Recogniser
from .train_lm import book_losses, conditioned
from .train_recogniser import Held
from .windows import CodeWindows, delay


def opus(audio, kilobits=6):
    """Audio [samples] through opusenc --music at its lowest rate, or None where the tools are missing."""
    if not shutil.which("opusenc"):
        return None
    import soundfile
    with tempfile.TemporaryDirectory() as folder:
        paths = [os.path.join(folder, n) for n in ("a.wav", "a.opus", "b.wav")]
        soundfile.write(paths[0], audio, 32000)
        subprocess.run(["opusenc", "--quiet", "--music", "--bitrate", str(kilobits), paths[0], paths[1]], check=True)
        subprocess.run(["opusdec", "--quiet", "--rate", "32000", paths[1], paths[2]], check=True)
        back, _ = soundfile.read(paths[2], dtype="float32")
    out = np.zeros_like(audio)
    out[: min(len(back), len(audio))] = back[: len(audio)]
    return out


def codec_part(model, options):
    """SI-SDR, log-mel distance (all, and while each group plays), perplexity of each book, the linear classifier on code counts."""
    codec, mel = model.audio_encoder, MelDistance()
    audio, activity = Windows(options.work, "test", 150, seed=11).draw(options.songs)
    audio = audio[:, 0]
    with torch.no_grad():
        plain = torch.cat([codec.decoder(codec.encoder(a[:, None]))[:, 0] for a in audio.split(8)])
        codes = torch.cat([codec.encode(a[:, None]).audio_codes[0] for a in audio.split(8)])
    back = decode(codec, codes)
    versions = dict(codec=back, unquantised=plain)
    first = opus(audio[0].numpy())
    if first is not None:
        versions["opus"] = torch.stack([torch.from_numpy(opus(a.numpy())) for a in audio])
    present = activity.mean(1) > 0.3
    out = {}
    for name, y in versions.items():
        distances = torch.stack([mel(a[None], b[None]) for a, b in zip(audio, y)])
        out[name] = dict(si_sdr=si_sdr(audio, y).mean().item(), log_mel=distances.mean().item(), **{f"log_mel_{g}": distances[present[:, n]].mean().item() for n, g in enumerate(GROUPS)})
    out["perplexity"] = []
    for book in codes.transpose(0, 1):
        p = torch.bincount(book.flatten(), minlength=shapes.CARDINALITY).float()
        p = p / p.sum()
        out["perplexity"].append(math.exp(-(p[p > 0] * p[p > 0].log()).sum().item()))
    out["code_count_probe"] = count_probe(options)
    return out


def count_probe(options):
    """A logistic regression on counts of codes over 3 s: share of right windows per group, on songs that its training did not see."""
    features, labels = {}, {}
    for split, n in (("train", 5000), ("test", 1500)):
        windows = CodeWindows(options.work, split, None, seed=21)
        codes, truth = [], []
        while len(codes) < n:
            index, at = int(windows.rng.choice(windows.songs)), int(windows.rng.integers(0, workspace.STEPS - 150))
            codes.append(windows.codes[index, :, at:at + 150].astype(np.int64) + np.arange(4)[:, None] * shapes.CARDINALITY)
            truth.append(windows.activity[index, at:at + 150].mean(0))
        flat = torch.from_numpy(np.stack(codes)).view(n, -1)
        counts = torch.zeros(n, 4 * shapes.CARDINALITY).scatter_add_(1, flat, torch.ones_like(flat, dtype=torch.float))
        features[split], labels[split] = torch.sqrt(counts), torch.from_numpy(np.stack(truth)).float()
    return accuracy_table(features["train"], labels["train"], features["test"], labels["test"], GROUPS)


def language_part(model, options):
    """Held-out cross entropy per book in nats, without text and with."""
    windows = CodeWindows(options.work, "test", text.Tokenizer(options.house), seed=31)
    with torch.no_grad():
        drawn = [windows.draw(8, 500) for _ in range(8)]
        plain = torch.stack([book_losses(model, c) for c, _ in drawn]).mean(0)
        told = torch.stack([book_losses(model, c, *conditioned(model, t, torch.ones(len(t)))) for c, t in drawn]).mean(0)
    return dict(without_text=plain.tolist(), mean=plain.mean().item(), with_text=told.tolist(), mean_with_text=told.mean().item(), uniform=math.log(shapes.CARDINALITY))


def heads_part(model, options):
    """The best single head's linear probe of presence: z of every head at the last step of 3 s of codes, training songs against test songs."""
    layers, heads = 6, 6
    grabbed = {}
    hooks = [layer.self_attn.out_proj.register_forward_pre_hook(lambda module, given, n=n: grabbed.__setitem__(n, given[0][:, -1])) for n, layer in enumerate(model.decoder.model.decoder.layers)]
    features, labels = {}, {}
    for split, n in (("train", 1600), ("test", 640)):
        windows = CodeWindows(options.work, split, None, seed=41)
        rows, truth = [], []
        while len(rows) * 16 < n:
            codes, active = [], []
            for _ in range(16):
                index, at = int(windows.rng.choice(windows.songs)), int(windows.rng.integers(0, workspace.STEPS - 150))
                codes.append(windows.codes[index, :, at:at + 150].astype(np.int64))
                active.append(windows.activity[index, at:at + 150].mean(0))
            sequence = delay(torch.from_numpy(np.stack(codes)))[:, :, :151]
            with torch.no_grad():
                model.decoder(input_ids=sequence.reshape(64, -1), use_cache=False)
            rows.append(torch.stack([grabbed[n] for n in range(layers)], 1).view(16, layers * heads, 64))
            truth.append(torch.from_numpy(np.stack(active)).float())
        features[split], labels[split] = torch.cat(rows), torch.cat(truth)
    for hook in hooks:
        hook.remove()
    best = {g: (0.0, None) for g in GROUPS}
    for head in range(layers * heads):
        table = accuracy_table(features["train"][:, head], labels["train"], features["test"][:, head], labels["test"], GROUPS)
        for g, value in table.items():
            if value > best[g][0]:
                best[g] = (value, [head // heads + 1, head % heads + 1])
    return {g: dict(accuracy=v, layer_and_head=where) for g, (v, where) in best.items()}


def tempo(x):
    import librosa
    return float(np.atleast_1d(librosa.feature.tempo(y=x, sr=32000, hop_length=256))[0])      # steps of 1.6 % at 120 bpm; 640 would have 4 %


def same_tempo(a, b):
    """Within 4 %, counting double and half as the same."""
    return any(abs(a * f / b - 1) <= 0.04 for f in (0.5, 1, 2))


def chroma(x):
    import librosa
    c = librosa.feature.chroma_stft(y=x, sr=32000, n_fft=4096, hop_length=2048, tuning=0.0).mean(1)
    return c / (np.linalg.norm(c) + 1e-9)


def silent(x):
    """Whether some 2 s are below -60 dB."""
    quiet = 10 * np.log10(np.square(x[: len(x) // 640 * 640].reshape(-1, 640)).mean(1) + 1e-12) < -60
    run = 0
    for q in quiet:
        run = run + 1 if q else 0
        if run > 100:
            return True
    return False


def loudness(x):
    return 10 * math.log10(float(np.mean(x * x)) + 1e-12)


def continuation_part(model, options):
    """20 s after 10 s of a test song: tempo, chroma, silence, loudness; beside the song's own 20 s and another song's, all through the codec."""
    windows = CodeWindows(options.work, "test", None, seed=51)
    index = [int(i) for i in windows.songs[: options.songs]]
    true = torch.from_numpy(np.stack([windows.codes[i, :, :1500].astype(np.int64) for i in index]))
    made = torch.cat([sample(model, 1500, prompt=part, seed=60 + n) for n, part in enumerate(true[:, :, :500].split(20))])
    audio = dict(generated=decode(model.audio_encoder, made).numpy(), ceiling=decode(model.audio_encoder, true).numpy())
    audio["floor"] = np.concatenate([audio["ceiling"][:, :320000], np.roll(audio["ceiling"], 1, 0)[:, 320000:]], 1)
    out = {}
    for name, clips in audio.items():
        rows = []
        for x in clips:
            before, after = x[:320000], x[320000:960000]
            rows.append((same_tempo(tempo(before), tempo(after)), float(chroma(before) @ chroma(after)), silent(after), abs(loudness(after) - loudness(before)), loudness(after) - loudness(before)))
        rows = np.array(rows, float)
        out[name] = dict(zip(("same_tempo", "chroma_cosine", "silent_share", "loudness_drift", "loudness_change"), rows.mean(0).tolist()))
    out["prompts"] = len(index)
    return out


def text_part(model, options):
    """How often the recogniser hears a group when the caption names it, and when it does not."""
    heard = Recogniser()
    heard.load_state_dict(torch.load(os.path.join(options.work, "recogniser.pt"), weights_only=True)["model"])
    heard.eval()
    tokenizer = text.Tokenizer(options.house)
    rng = random.Random(61)
    named, texts = [], []
    for i in range(options.songs):
        groups = [g for g in GROUPS if rng.random() < 0.5] or ["piano"]
        named.append([g in groups for g in GROUPS])
        texts.append(tokenizer(caption(song("test", i), groups, rng)))
    found = []
    for at in range(0, len(texts), 20):
        states, mask = conditioned(model, texts[at:at + 20], torch.ones(len(texts[at:at + 20])))
        codes = sample(model, 400, states=states.detach(), mask=mask, batch=len(states), seed=70 + at)
        with torch.no_grad():
            found.append((heard(decode(model.audio_encoder, codes)) > 0).float().mean(1))
    found, named = torch.cat(found), torch.tensor(named)
    return {g: dict(named=found[named[:, n], n].mean().item(), not_named=found[~named[:, n], n].mean().item()) for n, g in enumerate(GROUPS)}


def recogniser_part(model, options):
    heard = Recogniser()
    heard.load_state_dict(torch.load(os.path.join(options.work, "recogniser.pt"), weights_only=True)["model"])
    heard.eval()
    return Held(options.work, "test", options.songs, model.audio_encoder).figures(heard)


PARTS = dict(codec=codec_part, language=language_part, heads=heads_part, recogniser=recogniser_part, continuation=continuation_part, text=text_part)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("part", choices=[*PARTS, "all"])
    workspace.add_option(parser)
    parser.add_argument("--house", required=True)
    parser.add_argument("--songs", type=int, default=200)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", help="file to keep the figures in; other parts' figures in it stay")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    model = MusicgenForConditionalGeneration.from_pretrained(options.house).float().eval()
    kept = json.load(open(options.json)) if options.json and os.path.exists(options.json) else {}
    for name in PARTS if options.part == "all" else [options.part]:
        begin = time.time()
        kept[name] = json.loads(json.dumps(PARTS[name](model, options)), parse_float=lambda s: round(float(s), 4))
        print(name, f"{time.time() - begin:.0f} s", json.dumps(kept[name], indent=1), flush=True)
        if options.json:
            with open(options.json, "w") as f:
                json.dump(kept, f, indent=1)


if __name__ == "__main__":
    main()
