"""What the samplers of k-diffusion and stable-audio-tools make of diffusion_prepend.safetensors, given their noise.

    python make_diffusion_sampler.py DIR      # torch, stable-audio-tools, k-diffusion, safetensors; DIR holds make_diffusion.py's files

DIR/diffusion_sampler.safetensors   noise (steps + 1, channels, frames): the first is the beginning, the others are those of the steps;
context (tokens, width), global (width); sigmas; denoised and DDIM results by name and guidance; a NumberEmbedder and its vector of 7.5 in 0 ... 32
"""
import json, sys, torch
from safetensors.torch import load_file, save_file
from stable_audio_tools.models.adp import NumberEmbedder
from stable_audio_tools.models.dit import DiffusionTransformer
from stable_audio_tools.inference.sampling import sample
from k_diffusion.external import VDenoiser
from k_diffusion.sampling import get_sigmas_polyexponential, sample_dpmpp_3m_sde

torch.set_num_threads(1); torch.set_default_dtype(torch.float64)
FRAMES, TOKENS, STEPS, LEAST, LARGEST = 11, 5, 9, 0.03, 80.0
arguments = json.load(open(f"{sys.argv[1]}/diffusion_prepend.json"))
network = DiffusionTransformer(**arguments).eval()
stored = load_file(f"{sys.argv[1]}/diffusion_prepend.safetensors")
network.load_state_dict({n: stored["model.model." + n].double() for n, _ in network.named_parameters()}, strict=False)
torch.manual_seed(40)
draw = lambda *shape: torch.randn(*shape).float().double()
noise, context, whole = draw(STEPS + 1, arguments["io_channels"], FRAMES), draw(TOKENS, arguments["cond_token_dim"]), draw(arguments["global_cond_dim"])
made = {"noise": noise, "context": context, "global": whole}
with torch.no_grad():
    sigmas = get_sigmas_polyexponential(STEPS, LEAST, LARGEST, 1.0)
    made["sigmas"] = sigmas
    for guidance in (1.0, 3.0):
        velocity = lambda x, t, **more: network(x, t, cross_attn_cond=context[None], global_embed=whole[None], cfg_scale=guidance)
        for name, eta in (("dpmpp-3m-sde", 1.0), ("dpmpp-3m", 0.0)):
            place = iter(range(1, STEPS + 1))
            made[f"{name}.{guidance:g}"] = sample_dpmpp_3m_sde(
                VDenoiser(velocity), noise[:1] * sigmas[0], sigmas, disable=True, eta=eta, noise_sampler=lambda a, b: noise[next(place)][None])[0]
        made[f"ddim.{guidance:g}"] = sample(velocity, noise[:1], STEPS, 0.0)[0]
embedder = NumberEmbedder(features=arguments["global_cond_dim"])
for name, weight in embedder.state_dict().items():
    weight.copy_(weight.float().double())
    made["conditioner.conditioners.seconds_total.embedder." + name] = weight
made["seconds"] = embedder(torch.tensor([7.5 / 32])).detach()[0]
save_file({n: v.float().contiguous().clone() for n, v in made.items()}, f"{sys.argv[1]}/diffusion_sampler.safetensors")
