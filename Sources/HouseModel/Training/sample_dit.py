"""Samples the exported diffusion transformer with stable-audio-tools itself: `python -m Training.sample_dit --house HOUSE --dit DIT --caption "drums, bass" --out FILE.wav`.

`create_model_from_config` builds what model_config.json says, the checkpoint goes in name by name with nothing left over, `generate_diffusion_cond` samples. The states of the house model's text encoder are passed as
the conditioning tensor `prompt`, since stable-audio-tools knows published T5 models only. Prints mean and deviation of the normalised latents (0 and 1 over songs). Needs stable-audio-tools with all that it imports.
"""
import argparse
import json
import os
import time

import numpy as np
import torch
from safetensors.torch import load_file
from scipy.io import wavfile
from transformers import MusicgenForConditionalGeneration

from . import text
from .train_dit import states


def loaded(path):
    """The model as stable-audio-tools builds it, with the exported weights."""
    from stable_audio_tools.models.factory import create_model_from_config
    model = create_model_from_config(json.load(open(os.path.join(path, "model_config.json"))))
    model.load_state_dict({name: value.float() for name, value in load_file(os.path.join(path, "model.safetensors")).items()}, strict=True)
    return model.eval()


def conditioning(model, house, tokenizer, caption, seconds):
    """What `generate_diffusion_cond` wants: a tensor and a mask per name."""
    told = states(house, [tokenizer(caption)], torch.ones(1))
    return dict(prompt=(told, torch.ones(told.shape[:2], dtype=torch.bool)), seconds_total=model.conditioner.conditioners["seconds_total"]([seconds], "cpu"))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--house", required=True)
    parser.add_argument("--dit", required=True)
    parser.add_argument("--caption", default="drums, bass, jazz piano, 120 bpm, e minor")
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--guidance", type=float, default=3)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--out", required=True)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    from stable_audio_tools.inference.generation import generate_diffusion_cond
    model = loaded(options.dit)
    house = MusicgenForConditionalGeneration.from_pretrained(options.house).float().eval()
    begin = time.time()
    with torch.no_grad():
        told = conditioning(model, house, text.Tokenizer(options.house), options.caption, options.seconds)
        latent = generate_diffusion_cond(
            model, steps=options.steps, cfg_scale=options.guidance, conditioning_tensors=told, sample_size=round(options.seconds * 50), seed=options.seed, device="cpu",
            sampler_type="dpmpp-3m-sde", sigma_min=0.3, sigma_max=100)
        scale = load_file(os.path.join(options.dit, "normalisation.safetensors"))
        audio = house.audio_encoder.decoder(latent * scale["latent.deviation"][:, None] + scale["latent.mean"][:, None])[0, 0].numpy()
    wavfile.write(options.out, 32000, audio.clip(-1, 1).astype(np.float32))
    print(f"{tuple(latent.shape)} latents, mean {latent.mean():.3f}, deviation {latent.std():.3f}; {len(audio) / 32000:g} s of sound, RMS {np.sqrt(np.mean(audio ** 2)):.3f}; {time.time() - begin:.0f} s")


if __name__ == "__main__":
    main()
