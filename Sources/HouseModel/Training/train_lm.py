"""Trains language model and text encoder on the codes: `python -m Training.train_lm --work DIR --minutes 45 [--resume] [--from HOUSE]`.

Cross entropy of the real codes under the delay pattern; condition dropped in 30 % of the examples. Of four batches one has --batch windows
of 500 steps, one four times as many of 125 (there the text says most of what can be known, so that it is learnt), one --batch of 500 again, one a third as many of
1500, so that the whole window of 30 s is at home. Matrices of self-attention and feed-forward by Muon
(orthogonalised momentum, published as torch.optim.Muon), the rest by AdamW; bfloat16 autocast; cosine to zero over the time given. The code
embeddings start at a spread of 0.4, so that the sum of four is as large as the sinusoidal positions: at the class's own 0.02 the positions drown
the codes, and 225 updates had not even found the unigram distribution.
`--only-text` trains the text encoder and the decoder's cross-attention alone, on windows of 0.5, 1.25 and 2.5 s that begin from nothing, where the
caption says most of what can be known: what the model does without a text stays as it is, to the bit, since a dropped text is all zeros there.
Writes lm.pt (lm-text.pt) every two minutes, lm-best.pt whenever validation is lower than ever, and a line per 25 updates into lm.csv.
"""
import argparse
import csv
import math
import os
import time

import torch
from transformers import MusicgenForConditionalGeneration

from . import shapes, text, workspace
from .lookback import Lookback, plant
from .windows import CodeWindows, delay, pad

MUON_RATE, ADAM_RATE, DROPPED = 2e-3, 1e-3, 0.3
TEXT_SPREAD = 0.06      # of the projections that bring the text in: at the class's own 0.02 it was never heard
EMBEDDING_SPREAD = 0.4
FIELDS = ("update", "seconds", "loss", "validation", "book_1", "book_2", "book_3", "book_4", "validation_text", "short", "short_text", "loop", "look", "examples")


def conditioned(model, texts, keep):
    """Projected text states [batch, tokens, hidden] and mask; rows with keep false are zero."""
    ids, mask = pad(texts)
    states = model.enc_to_dec_proj(model.text_encoder(input_ids=ids, attention_mask=mask).last_hidden_state)
    return states * mask[..., None] * keep[:, None, None], mask


def book_losses(model, codes, states=None, mask=None):
    """Mean cross entropy of every book in nats, [4]. codes: [batch, 4, steps]."""
    batch, books, steps = codes.shape
    sequence = delay(codes)
    inputs = sequence[:, :, :-1].reshape(batch * books, -1)
    logits = model.decoder(input_ids=inputs, encoder_hidden_states=states, encoder_attention_mask=mask, use_cache=False).logits
    logits = logits.view(batch, books, -1, shapes.CARDINALITY)
    losses = [torch.nn.functional.cross_entropy(logits[:, k, k:k + steps].float().reshape(-1, shapes.CARDINALITY), codes[:, k].reshape(-1)) for k in range(books)]
    return torch.stack(losses)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    workspace.add_option(parser)
    parser.add_argument("--minutes", type=float, default=45)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--from", dest="source", help="start from an exported house model")
    parser.add_argument("--rate", type=float, default=1.0, help="factor on both learning rates")
    parser.add_argument("--loops", type=float, default=0.0, help="share of windows that are loops at the beginning; falls to a quarter of it")
    parser.add_argument("--lookback", type=float, default=0.0, help="weight of the loss that teaches heads to look back; falls to zero by half time")
    parser.add_argument("--only-text", action="store_true", help="trains only what brings the text in; lm-best.pt is then the best with text on short windows")
    parser.add_argument("--hear-text", action="store_true", help="with --from: text encoder and the way from it start anew, with a larger spread")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(2)
    if options.source:
        model = MusicgenForConditionalGeneration.from_pretrained(options.source).float()
    else:
        model = MusicgenForConditionalGeneration(shapes.whole())
        for table in model.decoder.model.decoder.embed_tokens:
            torch.nn.init.normal_(table.weight, std=EMBEDDING_SPREAD)
    if options.hear_text:
        model.text_encoder.load_state_dict(MusicgenForConditionalGeneration(shapes.whole(model.config.text_encoder.vocab_size)).text_encoder.state_dict())
    if options.hear_text or not options.source:
        torch.nn.init.normal_(model.enc_to_dec_proj.weight, std=TEXT_SPREAD)
        for layer in model.decoder.model.decoder.layers:
            for projection in (layer.encoder_attn.v_proj, layer.encoder_attn.out_proj):
                torch.nn.init.normal_(projection.weight, std=TEXT_SPREAD)
    if options.lookback:
        plant(model.decoder)
    model.train()
    parts = dict(decoder=model.decoder, text_encoder=model.text_encoder, enc_to_dec_proj=model.enc_to_dec_proj)
    matrices = [p for n, p in model.decoder.named_parameters() if p.dim() == 2 and ".layers." in n and "encoder_attn" not in n]
    chosen = {id(p) for p in matrices}
    rest = [p for part in parts.values() for p in part.parameters() if id(p) not in chosen]
    if options.only_text:
        model.decoder.requires_grad_(False)
        for layer in model.decoder.model.decoder.layers:
            layer.encoder_attn.requires_grad_(True)
            layer.encoder_attn_layer_norm.requires_grad_(True)
        rest = [p for p in rest if p.requires_grad]
    muon = torch.optim.Muon(matrices, lr=MUON_RATE, weight_decay=0.03, momentum=0.95, adjust_lr_fn="match_rms_adamw", ns_steps=3)
    adam = torch.optim.AdamW(rest, lr=ADAM_RATE, betas=(0.9, 0.95), weight_decay=0.01)
    update, spent, examples = 0, 0.0, 0
    prefix = "lm-text" if options.only_text else "lm"
    path = os.path.join(options.work, prefix + ".pt")
    if options.resume and os.path.exists(path):
        kept = torch.load(path, weights_only=True)
        for name, part in parts.items():
            part.load_state_dict(kept[name])
        muon.load_state_dict(kept["muon"])
        adam.load_state_dict(kept["adam"])
        muon.param_groups[0]["ns_steps"] = 3
        update, spent, examples = kept["update"], kept["spent"], kept["examples"]
    words = os.path.join(options.work, "text")
    tokenizer = text.Tokenizer(options.source or words)
    data = CodeWindows(options.work, "train", tokenizer, seed=update + 1)
    held = CodeWindows(options.work, "validation", tokenizer, seed=3)
    held = [held.draw(8, 500) for _ in range(2)] + [held.draw(32, 125) for _ in range(2)] + [held.draw(8, 500, loops=1.0)]
    log_path = os.path.join(options.work, prefix + ".csv")
    new = not os.path.exists(log_path) or not options.resume
    log = csv.DictWriter(open(log_path, "w" if new else "a", buffering=1), FIELDS)
    if new:
        log.writeheader()
    budget, begin, saved, total, seen = options.minutes * 60, time.time() - spent, time.time(), 0.0, 0

    best = kept.get("best", math.inf) if update else math.inf
    judged = "short_text" if options.only_text else "validation"

    def save(path=path):
        torch.save(dict({n: p.state_dict() for n, p in parts.items()}, muon=muon.state_dict(), adam=adam.state_dict(), update=update, spent=time.time() - begin, examples=examples, best=best), path + ".part")
        os.replace(path + ".part", path)

    def validate():
        model.eval()
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
            plain = torch.stack([book_losses(model, c) for c, _ in held[:2]]).mean(0)
            told = [torch.stack([book_losses(model, c, *conditioned(model, t, torch.ones(len(t)))) for c, t in part]).mean().item() for part in (held[:2], held[2:4])]
            short = torch.stack([book_losses(model, c) for c, _ in held[2:4]]).mean().item()
            loop = book_losses(model, held[4][0]).mean().item()
        model.train()
        return dict(validation=plain.mean().item(), validation_text=told[0], short=short, short_text=told[1], loop=loop, **{f"book_{k + 1}": plain[k].item() for k in range(shapes.BOOKS)})

    lookback = Lookback(model.decoder) if options.lookback else None
    look = 0.0
    while (now := time.time() - begin) < budget:
        share = now / budget
        scale = min(1.0, (update + 1) / 30) * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * share)))
        muon.param_groups[0]["lr"], adam.param_groups[0]["lr"] = MUON_RATE * scale * options.rate, ADAM_RATE * scale * options.rate
        count, steps = ((options.batch * 20, 25), (options.batch * 8, 62), (options.batch * 20, 25), (options.batch * 4, 125))[update % 4] if options.only_text else ((options.batch, 500), (options.batch * 4, 125), (options.batch, 500), (max(1, options.batch // 3), 1500))[update % 4]
        if lookback and share >= 0.5:
            lookback.remove()
            lookback = None
        codes, texts = data.draw(count, steps, loops=options.loops * (1 - 0.75 * share))
        with torch.autocast("cpu", torch.bfloat16):
            keep = (torch.rand(len(texts)) >= (0 if options.only_text else DROPPED)).float()
            losses = book_losses(model, codes, *conditioned(model, texts, keep))
            gaze = lookback.loss(data.periods) if lookback else 0.0
        loss = losses.mean()
        (loss + options.lookback * (1 - 2 * share) * gaze).backward()
        look += gaze.item() if lookback else 0.0
        torch.nn.utils.clip_grad_norm_(rest, 1.0)
        for optimiser in (adam,) if options.only_text else (muon, adam):
            optimiser.step()
            optimiser.zero_grad(set_to_none=True)
        update, examples, total, seen = update + 1, examples + len(texts), total + loss.item(), seen + 1
        if update % 25 == 0:
            row = dict(loss=total / seen, look=look / seen)
            total, look, seen = 0.0, 0.0, 0
            data.refresh()
            if update % 200 == 0:
                row |= validate()
                if row[judged] < best:
                    best = row[judged]
                    save(os.path.join(options.work, "lm-best.pt"))
            row = {k: round(v, 4) for k, v in row.items()} | dict(update=update, seconds=round(time.time() - begin), examples=examples)
            log.writerow(row)
            print(row, flush=True)
        if time.time() - saved > 120:
            save()
            saved = time.time()
    save()
    last = validate()
    if last[judged] < best:
        best = last[judged]
        save(os.path.join(options.work, "lm-best.pt"))
    print(last, f"{update} updates in {time.time() - begin:.0f} s", flush=True)


if __name__ == "__main__":
    main()
