"""A tiny MusicGen decoder and what PyTorch gives for its loss, gradient, Fisher information and one
unlearning step, with and without text. Double precision inside.

    python make_language_model.py OUT_DIR      # torch, transformers, safetensors

OUT_DIR/language_model.safetensors   weights under `decoder.` and expected values, one file
"""
import sys, torch, torch.nn.functional as F
from safetensors.torch import save_file
from transformers import MusicgenForCausalLM
from transformers.models.musicgen.configuration_musicgen import MusicgenDecoderConfig

torch.manual_seed(3); torch.set_num_threads(1)
L, H, D, FF, K, V, T, S, N = 2, 2, 8, 24, 3, 11, 9, 4, 4
cfg = MusicgenDecoderConfig(vocab_size=V, max_position_embeddings=64, num_hidden_layers=L, ffn_dim=FF, num_attention_heads=H,
                            hidden_size=H * D, num_codebooks=K, dropout=0.0, pad_token_id=V, bos_token_id=V)
m = MusicgenForCausalLM(cfg).eval()
with torch.no_grad():
    for n, w in m.named_parameters(): w.copy_(torch.randn_like(w) * (0.4 if w.dim() > 1 else 0.1) + (1 if n.endswith("norm.weight") else 0))
m = m.double()
g = {"decoder." + n: w.float().contiguous().clone() for n, w in m.named_parameters()}
codes = torch.randint(0, V, (N, K, T)); text = torch.randn(N, S, H * D).float().double()
mask = torch.ones(T); mask[2:5] = 0
keep = lambda n, t: g.__setitem__("golden." + n, (t.detach().float() if t.is_floating_point() else t.to(torch.int32)).contiguous().clone())
keep("codes", codes); keep("text", text); keep("mask", mask)

def loss(i, with_text=False, masked=False):
    x = torch.full((K, T + K), V)
    for k in range(K): x[k, 1 + k:1 + k + T] = codes[i, k]
    lg = m(input_ids=x, encoder_hidden_states=text[i:i + 1] if with_text else None).logits
    ce = torch.stack([F.cross_entropy(lg[k, k:k + T], codes[i, k], reduction="none") for k in range(K)])
    return (ce * mask).sum() / (mask.sum() * K) if masked else ce.mean()
P = dict(m.named_parameters())
def grad(*a, **k):
    m.zero_grad(); loss(*a, **k).backward()
    return {n: (torch.zeros_like(w) if w.grad is None else w.grad.clone()) for n, w in P.items()}
with torch.no_grad():
    L0 = torch.stack([loss(i) for i in range(N)])
    keep("loss", L0); keep("loss_text", torch.stack([loss(i, True) for i in range(N)])); keep("loss_masked", torch.stack([loss(i, False, True) for i in range(N)]))
G0 = grad(0)
for n, w in grad(0, True, True).items(): keep("grad_text_masked." + n, w)
F_ = {n: sum(grad(i)[n] ** 2 for i in range(N)) / N for n in P}
for n in P:
    if ".encoder_attn" in n: continue
    keep("grad." + n, G0[n]); keep("fisher." + n, F_[n])
lr, damp = 2e-5, 0.1
base = {n: w.detach().clone() for n, w in P.items()}
with torch.no_grad():
    for n, w in P.items():
        if ".layers." in n and ".encoder_attn" not in n: w.copy_(base[n] + lr * G0[n] / (N * (F_[n] + damp * F_[n].mean())))
    keep("score", torch.stack([loss(i) for i in range(N)]) - L0)
    keep("unlearning", torch.tensor([N, lr, damp], dtype=torch.float64))
save_file(g, sys.argv[1] + "/language_model.safetensors")
print(L0, g["golden.score"])
