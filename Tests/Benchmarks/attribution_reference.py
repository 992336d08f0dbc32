"""PyTorch's time for the work of `continuo attribute bench`: per-draw gradients added, squared, to a Fisher
information, and losses without gradients, on random weights.

    python attribution_reference.py [--size house-lm|lm-100m|house-dit] [--threads 2] [--draws 4] [--repetitions 3]

Needs torch, transformers, for house-dit stable-audio-tools. Prints one JSON object with the same keys.
"""
import argparse, json, math, resource, time
import torch, torch.nn.functional as F

p = argparse.ArgumentParser()
p.add_argument("--size", default="house-lm", choices=["house-lm", "lm-100m", "house-dit"])
p.add_argument("--threads", type=int, default=2); p.add_argument("--draws", type=int, default=4); p.add_argument("--repetitions", type=int, default=3)
a = p.parse_args()
torch.set_num_threads(a.threads); torch.manual_seed(1)

if a.size == "house-dit":
    from stable_audio_tools.models.dit import DiffusionTransformer
    m = DiffusionTransformer(io_channels=64, embed_dim=256, depth=6, num_heads=4, cond_token_dim=128, global_cond_dim=128,
                             project_cond_tokens=False, transformer_type="continuous_transformer", global_cond_type="prepend").eval()
    T = 500
    draws = [(torch.randn(1, 64, T), torch.rand(1), torch.randn(1, 64, T), torch.randn(1, 48, 128), torch.randn(1, 128)) for _ in range(a.draws)]
    def loss(d):
        x, t, e, c, g = d
        al, si = torch.cos(t * math.pi / 2), torch.sin(t * math.pi / 2)
        return ((m(x * al + e * si, t, cross_attn_cond=c, global_embed=g) - (e * al - x * si)) ** 2).mean()
else:
    from transformers import MusicgenForCausalLM
    from transformers.models.musicgen.configuration_musicgen import MusicgenDecoderConfig
    house = a.size == "house-lm"
    V, K, T = (1024 if house else 2048), 4, 400
    m = MusicgenForCausalLM(MusicgenDecoderConfig(
        vocab_size=V, num_hidden_layers=6 if house else 12, ffn_dim=1536 if house else 3072, num_attention_heads=6 if house else 12,
        hidden_size=384 if house else 768, num_codebooks=K, dropout=0.0, pad_token_id=V, bos_token_id=V)).eval()
    for n, w in m.named_parameters():
        if "encoder_attn" in n: w.requires_grad_(False)
    draws = [torch.randint(0, V, (K, T)) for _ in range(a.draws)]
    def loss(codes):
        x = torch.full((K, T + K - 1), V)
        for k in range(K): x[k, 1 + k:1 + k + T] = codes[k, :T + K - 2 - k]
        lg = m(input_ids=x).logits
        return torch.stack([F.cross_entropy(lg[k, k:k + T], codes[k]) for k in range(K)]).mean()

P = [w for w in m.parameters() if w.requires_grad]
fisher = [torch.zeros_like(w) for w in P]
def gradients():
    for d in draws:
        m.zero_grad(set_to_none=True)
        loss(d).backward()
        with torch.no_grad():
            for f, w in zip(fisher, P):
                if w.grad is not None: f.addcmul_(w.grad, w.grad)
def scores():
    with torch.no_grad():
        for d in draws: loss(d).item()
gradients()
best = [math.inf, math.inf]
for _ in range(a.repetitions):
    for i, work in enumerate((gradients, scores)):
        start = time.perf_counter(); work(); best[i] = min(best[i], time.perf_counter() - start)
print(json.dumps(dict(size=a.size, parameters=sum(w.numel() for w in P), threads=a.threads, gradientDrawsPerSecond=a.draws / best[0],
                      scoredDrawsPerSecond=a.draws / best[1], peakBytes=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)))
