"""The SentencePiece model of the captions, and its wrapping as a T5 tokenizer: `python -m Training.text --work DIR --out DIR`."""
import argparse
import io
import json
import os
import random

import sentencepiece

from . import shapes, workspace
from .captions import caption
from .catalogue_plan import COUNTS, song
from .note import GROUPS


def corpus(songs):
    """Captions of the first training songs, with random sets of groups: every tag occurs."""
    for index in range(songs):
        piece = song("train", index)
        rng = random.Random(f"continuo/text/{index}")
        for _ in range(4):
            yield caption(piece, [g for g in GROUPS if rng.random() < 0.5], rng)


def train(path, songs=1200):
    """Writes `path`/spiece.model and the tokenizer's configuration. pad 0, end 1, unknown 2, as T5."""
    os.makedirs(path, exist_ok=True)
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=corpus(min(songs, COUNTS["train"])), model_writer=model, vocab_size=shapes.TEXT_VOCABULARY, model_type="unigram",
        pad_id=0, eos_id=1, unk_id=2, bos_id=-1, pad_piece="<pad>", eos_piece="</s>", unk_piece="<unk>", character_coverage=1.0,
        hard_vocab_limit=False, minloglevel=2)
    with open(os.path.join(path, "spiece.model"), "wb") as f:
        f.write(model.getvalue())
    configuration = dict(tokenizer_class="T5Tokenizer", model_max_length=512, extra_ids=0, eos_token="</s>", pad_token="<pad>", unk_token="<unk>", additional_special_tokens=[])
    with open(os.path.join(path, "tokenizer_config.json"), "w") as f:
        json.dump(configuration, f, indent=2)
    with open(os.path.join(path, "special_tokens_map.json"), "w") as f:
        json.dump(dict(eos_token="</s>", pad_token="<pad>", unk_token="<unk>"), f, indent=2)


class Tokenizer:
    """Text to ids with the end token, as T5 does. Reads spiece.model itself, so that nothing but SentencePiece is asked."""

    def __init__(self, path):
        self.pieces = sentencepiece.SentencePieceProcessor(model_file=os.path.join(path, "spiece.model"))

    def __call__(self, text):
        return self.pieces.encode(text) + [1]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    workspace.add_option(parser)
    parser.add_argument("--out", help="folder of spiece.model (default: WORK/text)")
    options = parser.parse_args()
    path = options.out or os.path.join(options.work, "text")
    train(path)
    print(path, Tokenizer(path)("drums, bass, jazz piano, 120 bpm, e minor"))


if __name__ == "__main__":
    main()
