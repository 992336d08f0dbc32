"""Tiny diffusion transformers of stable-audio-tools and what PyTorch gives for their output, loss and gradient.

    python make_diffusion.py OUT_DIR      # torch, stable-audio-tools, safetensors

OUT_DIR/diffusion_{prepend,adaLN}.safetensors   weights in half precision under `model.model.`, inputs, and expected
values under `golden.`; of every gradient only each 37th number, and its largest magnitude
OUT_DIR/diffusion_{prepend,adaLN}.json          the constructor's arguments
"""
import json, math, sys, torch
from safetensors.torch import save_file
from stable_audio_tools.models.dit import DiffusionTransformer

torch.set_num_threads(1); torch.set_default_dtype(torch.float64)
IO, DIM, HEADS, COND, T, S = 4, 64, 2, 32, 11, 5
for seed, kind in enumerate(["prepend", "adaLN"]):
    torch.manual_seed(seed)
    kw = dict(io_channels=IO, embed_dim=DIM, depth=1, num_heads=HEADS, cond_token_dim=COND, global_cond_dim=24, project_cond_tokens=False,
              transformer_type="continuous_transformer", global_cond_type=kind)
    if kind == "adaLN": kw["num_memory_tokens"] = 2
    m = DiffusionTransformer(**kw).eval()
    with torch.no_grad():
        for n, w in m.named_parameters():
            w.copy_(1 + 0.1 * torch.randn_like(w) if n.endswith("gamma") else torch.randn_like(w) * 0.7 / math.sqrt(w.shape[1] if w.dim() > 1 else 16))
            w.copy_(w.half().double())
    g = {"model.model." + n: w.detach().half().contiguous() for n, w in m.named_parameters()}
    keep = lambda n, t: g.__setitem__("golden." + n, t.detach().float().contiguous().clone())
    r = lambda *s: torch.randn(*s).float().double()
    x, e, c, gl, t, mask = r(IO, T), r(IO, T), r(S, COND), r(24), torch.tensor(0.37).float().double(), torch.ones(T)
    mask[7:] = 0
    for n, v in dict(latent=x, noise=e, context=c, **{"global": gl}, t=t[None], mask=mask).items(): keep(n, v)
    al, si = torch.cos(t * math.pi / 2), torch.sin(t * math.pi / 2)
    run = lambda z: m(z[None], t[None], cross_attn_cond=c[None], global_embed=gl[None])[0]
    se = lambda: (run(x * al + e * si) - (e * al - x * si)) ** 2
    keep("output", run(x)); keep("loss", se().mean()[None])
    loss = (se() * mask).sum() / (mask.sum() * IO); keep("loss_masked", loss[None]); loss.backward()
    for n, w in m.named_parameters(): keep("grad." + n, w.grad.reshape(-1)[::37]); keep("largest." + n, w.grad.abs().max()[None])
    save_file(g, f"{sys.argv[1]}/diffusion_{kind}.safetensors"); json.dump(kw, open(f"{sys.argv[1]}/diffusion_{kind}.json", "w"), indent=1)
