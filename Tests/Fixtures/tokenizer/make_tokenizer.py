"""Train a tiny SentencePiece model in T5's convention and write the ids that SentencePiece itself gives.

    pip install sentencepiece transformers
    python make_tokenizer.py

spiece.model     512 pieces, unigram, <pad> 0, </s> 1, <unk> 2, with a few normalisation rules
tokenizer.json   the same as transformers exports it without spiece.model
expected.json    "written": strings by hand (base64) with their ids, "generated": how many strings follow
                 from SplitMix64 by the rules of `generate`, and the FNV-1a hash of each one's ids;
                 "transformers": ordinary sentences and the ids that T5Tokenizer gives for them
The end-of-sentence id is included everywhere.
"""
import base64, json, os, random, shutil, tempfile
import sentencepiece as spm
from transformers import T5Tokenizer

MASK = (1 << 64) - 1
here = os.path.dirname(os.path.abspath(__file__))

WORDS = """80s pop track with bassy drums and synth slow jazz ballad piano solo fast rock guitar riff heavy warm
pad ambient cinematic strings epic orchestra live recording crowd noise lofi hip hop beat vinyl crackle acid techno
drive groove funk bass slap latin percussion samba bossa nova acoustic folk banjo fiddle happy sad dark bright
energetic calm dreamy vocal choir male female trumpet saxophone flute organ harp bells marimba at bpm in minor major
key of C D E F G A B tempo around reverb delay distortion clean crisp punchy the a an is very like no more less 120 90
140 electronic dance music classical baroque fugue waltz march soundtrack game chiptune 8-bit café naïve über""".split()


class SplitMix:
    def __init__(self, seed): self.state = seed
    def next(self):
        self.state = (self.state + 0x9E3779B97F4A7C15) & MASK
        z = self.state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
        return z ^ (z >> 31)
    def below(self, n): return self.next() % n


def generate(rng):
    """Bytes of one string: 0-39 parts, each a word, a scalar of some range, a space, or a raw byte."""
    out = bytearray()
    for _ in range(rng.below(40)):
        kind = rng.below(8)
        if kind < 4:
            out += WORDS[rng.below(len(WORDS))].encode() + b" "
        elif kind == 4:
            out += chr(0x20 + rng.below(0x5F)).encode()
        elif kind == 5:
            out += chr([0xC0, 0x3B1, 0x4E00, 0x1F300, 0xFF01, 0x300][rng.below(6)] + rng.below(64)).encode()
        elif kind == 6:
            out += [b"  ", b"\t", b"\n", b"\x00", b"\x7f", "\u3000".encode(), "\u00a0".encode(), "\u200b".encode()][rng.below(8)]
        else:
            out.append(rng.below(256))
    return bytes(out)


def fnv(ids):
    h = 0xCBF29CE484222325
    for i in ids:
        for b in i.to_bytes(4, "little"):
            h = ((h ^ b) * 0x100000001B3) & MASK
    return h


random.seed(1)
with tempfile.TemporaryDirectory() as folder:
    text = os.path.join(folder, "text")
    with open(text, "w") as f:
        for _ in range(3000):
            f.write(" ".join(random.choices(WORDS, k=random.randint(3, 14))) + random.choice([".", ",", "!", ""]) + "\n")
    rules = {0x00A0: " ", 0x3000: " ", 0x09: " ", 0x0A: " ", 0x0D: " ", 0xFB01: "fi", 0x2122: "TM", 0x200B: ""}
    rules |= {0xFF01 + i: chr(0x21 + i) for i in range(94)}
    tsv = os.path.join(folder, "rules.tsv")
    with open(tsv, "w") as f:
        for source, target in rules.items():
            f.write(f"{source:X}\t{' '.join(f'{ord(c):X}' for c in target)}\n")
    spm.SentencePieceTrainer.train(
        input=text, model_prefix=os.path.join(folder, "spiece"), vocab_size=512, model_type="unigram", pad_id=0,
        eos_id=1, unk_id=2, bos_id=-1, normalization_rule_tsv=tsv, hard_vocab_limit=False, minloglevel=2)
    os.replace(os.path.join(folder, "spiece.model"), os.path.join(here, "spiece.model"))
    shutil.copy(os.path.join(here, "spiece.model"), folder)
    fast = T5Tokenizer.from_pretrained(folder, extra_ids=10)
    saved = os.path.join(folder, "saved")
    fast.save_pretrained(saved)
    os.replace(os.path.join(saved, "tokenizer.json"), os.path.join(here, "tokenizer.json"))

sp = spm.SentencePieceProcessor(model_file=os.path.join(here, "spiece.model"))
ids = lambda data: sp.encode(data) + [sp.eos_id()]
by_hand = [
    b"", b" ", b"   ", b"\n", b"\t \r\n", b"\x00", b"a\x00b", bytes(range(1, 32)), b"\x7f", "🥁".encode(), "🎸🎹🎷 solo".encode(),
    "👩‍👩‍👧‍👦".encode(), "café naïve über".encode(), "cafe\u0301".encode(), "ﬁne™".encode(), "ＦＵＬＬ　ｗｉｄｔｈ".encode(), b"</s>", b"<pad>",
    b"<unk>", b"<extra_id_0>", b"drums</s>piano", "▁drums".encode(), b"\xff\xfe", b"\xc3", b"ab\xc3\x28cd", b"\xed\xa0\x80",
    b"\xf4\x90\x80\x80", b"\xc0\xaf", b"80s pop track with bassy drums and synth", b"  leading and trailing  ",
    b"UPPER lower MiXeD", b"1234567890", b"!@#$%^&*()_+{}|:\"<>?[]\\;',./`~", ("drums " * 334)[:2000].encode(), ("x" * 2000).encode(),
    ("🥁" * 500).encode(), "漢字かな交じり文".encode(), "السلام عليكم".encode(), "\u202eabc\u202c".encode(), "\ufeffbom".encode(),
    "a\u200bb".encode(), "\u00a0\u3000".encode(),
]
rng = SplitMix(2024)
count = 1000 - len(by_hand)
sentences = ["80s pop track with bassy drums and synth", "slow jazz ballad, piano solo", "epic  orchestra\tat 120 bpm",
             "naïve café groove!", "", "ＦＵＮＫ bass", " lofi hip hop beat "]
expected = {
    "written": [{"text": base64.b64encode(t).decode(), "ids": ids(t)} for t in by_hand],
    "generated": {"seed": 2024, "words": WORDS, "hashes": [f"{fnv(ids(generate(rng))):016x}" for _ in range(count)]},
    "transformers": [{"text": t, "ids": fast(t).input_ids} for t in sentences],
}
with open(os.path.join(here, "expected.json"), "w") as f:
    json.dump(expected, f, indent=0, ensure_ascii=True)
    f.write("\n")
for s in sentences:
    print(fast(s).input_ids == ids(s.encode()), repr(s), sp.encode(s, out_type=str))
for s in ("a </s> b", "<extra_id_0> drums"):
    print(s, fast(s).input_ids, ids(s.encode()))
