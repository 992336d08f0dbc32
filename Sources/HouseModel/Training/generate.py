"""Batched sampling from the language model, on the reference class: used by the evaluation only.

Same rules as MusicgenForConditionalGeneration.generate (delay pattern, guidance u + g (c - u), top-k), with prompts of codes.
"""
import torch

from . import shapes
from .windows import SPECIAL, delay


@torch.no_grad()
def sample(model, steps, prompt=None, states=None, mask=None, batch=1, guidance=3.0, top_k=250, temperature=1.0, seed=0):
    """Codes [batch, 4, steps]. prompt: codes [batch, 4, n] to continue, counted in `steps`. states, mask: projected text or None."""
    books = shapes.BOOKS
    generator = torch.Generator().manual_seed(seed)
    given = 0 if prompt is None else prompt.shape[2]
    batch = batch if prompt is None else prompt.shape[0]
    codes = torch.full((batch, books, steps), SPECIAL, dtype=torch.long)
    if given:
        codes[:, :, :given] = prompt
    guided = states is not None and guidance != 1.0
    if guided:
        states, mask = torch.cat([states, torch.zeros_like(states)]), torch.cat([mask, torch.ones_like(mask)])
    sequence = delay(codes)                       # [batch, 4, steps + 4]; unknown places hold the special token
    cache, fed = None, 0
    for at in range(given + 1, steps + books):    # the first stream step with an unknown place
        inputs = sequence[:, :, fed:at]
        if guided:
            inputs = torch.cat([inputs, inputs])
        out = model.decoder(input_ids=inputs.reshape(-1, at - fed), encoder_hidden_states=states, encoder_attention_mask=mask, past_key_values=cache, use_cache=True)
        cache, fed = out.past_key_values, at
        logits = out.logits[:, -1].float().view(-1, books, shapes.CARDINALITY)
        if guided:
            told, untold = logits.chunk(2)
            logits = untold + guidance * (told - untold)
        logits = logits / temperature
        if top_k:
            least = logits.topk(top_k, -1).values[..., -1:]
            logits = logits.masked_fill(logits < least, -torch.inf)
        drawn = torch.multinomial(logits.softmax(-1).view(-1, shapes.CARDINALITY), 1, generator=generator).view(batch, books)
        for k in range(books):
            frame = at - 1 - k
            if given <= frame < steps:
                sequence[:, k, at] = drawn[:, k]
    return torch.stack([sequence[:, k, 1 + k:1 + k + steps] for k in range(books)], 1)


@torch.no_grad()
def decode(codec, codes, batch=8):
    """Codes [n, 4, steps] -> audio [n, steps * 640]."""
    return torch.cat([codec.decode(c[None], [None]).audio_values[:, 0] for c in codes.split(batch)])
