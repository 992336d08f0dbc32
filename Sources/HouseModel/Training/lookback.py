"""Teaches attention heads to look back (*ours*): a few heads are told where to look in loops, where the right place is known.

What repeats is found by two heads one after the other: one that looks at the step before, one in a later layer that looks for the place behind the
last step like this one (published as induction heads). A model of this size did not find that by itself in 3,700 updates on songs: it gained
nothing by an exact loop of its own input. The loss here is the negative logarithm of the attention that those heads give to the right place.
"""
import torch

# (layer, head, how many steps back); None: one period back, and one step on.
HEADS = ((0, 1, 1), (0, 2, 2), (1, 5, None), (2, 0, None), (2, 1, None), (2, 5, None), (3, 4, None), (4, 4, None))


class Lookback:
    """Takes queries and keys of the heads while the decoder runs."""

    def __init__(self, decoder, heads=HEADS, size=64):
        self.heads, self.size, self.seen, self.hooks = heads, size, {}, []
        for layer in sorted({h[0] for h in heads}):
            attention = decoder.model.decoder.layers[layer].self_attn
            for name in ("q_proj", "k_proj"):
                self.hooks.append(getattr(attention, name).register_forward_hook(lambda _, __, out, key=(layer, name): self.seen.__setitem__(key, out)))

    def remove(self):
        for hook in self.hooks:
            hook.remove()

    def loss(self, periods):
        """Nats, a mean over heads and steps. periods: of each row of the last batch in steps, 0 for none. Steps behind the first turn count for loops."""
        total, count = 0.0, 0
        for layer, head, back in self.heads:
            cut = slice(head * self.size, (head + 1) * self.size)
            query, key = self.seen[layer, "q_proj"][..., cut], self.seen[layer, "k_proj"][..., cut]
            rows = [(r, back) for r in range(len(periods))] if back else [(r, p - 1) for r, p in enumerate(periods) if p]
            if not rows:
                continue
            if back:
                rows = rows[:max(1, len(rows) // 4)]
            chosen = torch.tensor([r for r, _ in rows])
            scores = (query[chosen] @ key[chosen].transpose(1, 2)).float() * self.size ** -0.5
            length = scores.shape[1]
            scores = scores.masked_fill(torch.ones(length, length, dtype=torch.bool).triu(1), float("-inf"))
            spread = scores.logsumexp(-1)
            for n, (_, distance) in enumerate(rows):
                first = distance if back else distance + 6
                if first >= length:
                    continue
                steps = torch.arange(first, length)
                total = total + (spread[n, steps] - scores[n, steps, steps - distance]).mean()
                count += 1
        return total / max(1, count)


def rotations(width, frequencies, back, gamma, strength):
    """Query and key [2 n, width] whose product is largest `back` steps ago, out of the sinusoidal positions of these frequency indices."""
    half = width // 2
    query, key = torch.zeros(2 * len(frequencies), width), torch.zeros(2 * len(frequencies), width)
    for row, index in enumerate(frequencies):
        turn = torch.tensor(10000.0 ** (-index / (half - 1)) * back)
        cosine, sine = index, half + index
        query[2 * row, cosine], query[2 * row, sine] = torch.cos(turn), torch.sin(turn)
        query[2 * row + 1, sine], query[2 * row + 1, cosine] = torch.cos(turn), -torch.sin(turn)
        key[2 * row, cosine], key[2 * row + 1, sine] = 1.0, 1.0
    return strength * query / gamma, strength * key / gamma


@torch.no_grad()
def plant(decoder, strength=3.3, match=0.7, copy=1.0, size=64):
    """Sets the heads of HEADS to what the loss wants, so that training starts from heads that look back instead of finding them.

    Heads that look one step back get their queries and keys from the fastest sinusoids of the positions (the code embeddings leave those places
    free from then on, else a step looks most like itself) and hand on the content of what they see; heads that look one period back compare that
    with the content of their own step, and write what is wanted from the output heads: for each code its row, told by its embedding. Content: the directions in which the code embeddings vary most beside the positions."""
    core = decoder.model.decoder
    width = core.config.hidden_size
    fast = list(range(size // 4))
    for table in core.embed_tokens:
        table.weight[:, fast + [width // 2 + n for n in fast]] = 0
    tables = torch.stack([t.weight[:-1] for t in core.embed_tokens])
    content = sum(torch.cov(t.T) for t in tables)
    steps = torch.arange(1500)[:, None] * 10000.0 ** (-torch.arange(width // 2) / (width // 2 - 1))[None]
    positions = torch.cov(torch.cat([steps.cos(), steps.sin()], 1).T)
    factor = torch.linalg.cholesky(positions + content + 1e-4 * torch.eye(width))
    inverse = torch.linalg.inv(factor)
    _, vectors = torch.linalg.eigh(inverse @ content @ inverse.T)
    basis = (inverse.T @ vectors).flip(1)                  # columns: best told from positions first
    basis = torch.linalg.qr(basis).Q
    whitened = torch.linalg.inv(content + 1e-3 * torch.eye(width))
    wanted = sum(head.weight[:table.weight.shape[0] - 1].T @ (table.weight[:-1] - table.weight[:-1].mean(0)) for head, table in zip(decoder.lm_heads, core.embed_tokens)) @ whitened / len(tables[0])
    out = torch.linalg.qr(torch.randn(width, size)).Q
    shown = {}
    for layer, head, back in HEADS:
        block, cut = core.layers[layer], slice(head * size, (head + 1) * size)
        gamma, attention = block.self_attn_layer_norm.weight, block.self_attn
        if back:
            query, key = rotations(width, fast, back, gamma, strength)
            half = slice(head * size, head * size + len(query))
            attention.q_proj.weight[cut], attention.k_proj.weight[cut] = 0, 0
            attention.q_proj.weight[half], attention.k_proj.weight[half] = query, key
            if back == 1:
                attention.v_proj.weight[cut] = basis[:, :size].T / gamma
                attention.out_proj.weight[:, cut] = out
        else:
            attention.q_proj.weight[cut] = match * basis[:, :size].T / gamma * size ** 0.5 / 2
            attention.k_proj.weight[cut] = match * out.T / gamma * size ** 0.5 / 2
            part = size * (len(shown) % (width // size))
            attention.v_proj.weight[cut] = basis[:, part:part + size].T / gamma
            attention.out_proj.weight[:, cut] = copy * wanted @ basis[:, part:part + size]
            shown[layer, head] = part
