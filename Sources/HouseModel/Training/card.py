"""Writes the model card: `python -m Training.card --figures figures.json --notes notes.json --out Resources/house/README.md`.

With --program REPORT (repeated) the tables of `continuo evaluate house` and `codec` (report.json in their --out folders) are put in as well.

The figures are those of evaluate.py; what was not measured is said to be missing. notes.json: how long each part trained, on what.
"""
import argparse
import json

from .note import GROUPS

HEAD = """---
license: cc0-1.0
library_name: transformers
tags: [music, musicgen, continuo]
---
# The house model

A small MusicGen: EnCodec (32 kHz mono, 50 steps a second, 4 books of 1,024), a decoder of 6 layers x 6 heads x 64, and a T5 text encoder of 2 layers, trained from
nothing on songs that the project composes itself. It ships with Continuo so that a fresh machine can play; it is no rival of models trained on recorded music.
It loads with `MusicgenForConditionalGeneration.from_pretrained`.

- **Data**: the house catalogue, made by `Sources/HouseModel/Training` from seeds and rendered with FluidSynth and the FluidR3 GM sound font (its licence is of the MIT kind). No recording, no person's work. Maker: Continuo house band.
- **Licence**: weights, catalogue and phrase CC0-1.0.
- **Conditioning**: tags such as "drums, bass, jazz piano, 120 bpm, e minor"; dropped in 30 % of the examples, so continuation without text is at home.
- **Training on**: how it was made and how to train on is in `Sources/HouseModel/Training/README.md`; the curves lie beside it.
"""


def percent(x):
    return f"{100 * x:.1f} %"


def group_table(rows, value):
    """A table with one column per group. rows: {label: {group: x}}."""
    lines = ["| | " + " | ".join(GROUPS) + " |", "|---" * (len(GROUPS) + 1) + "|"]
    for label, row in rows.items():
        lines.append(f"| {label} | " + " | ".join(value(row[g]) if g in row else "" for g in GROUPS) + " |")
    return lines


def shown(column, value):
    return "–" if value is None else f"{value * column['scale']:.{column['decimals']}f}"


def program(report):
    """The tables of a report that the program itself wrote."""
    out = [f"### {report['title']}, by the program itself", "", " ".join(report["notes"]), ""]
    for table in report["tables"]:
        out += [f"**{table['title']}**", "", table["note"], "", "| | " + " | ".join(c["title"] for c in table["columns"]) + " |", "|---" * (len(table["columns"]) + 1) + "|"]
        out += ["| " + " | ".join([row["name"]] + [shown(c, v) for c, v in zip(table["columns"], row["values"])]) + " |" for row in table["rows"]]
        out.append("")
    return out


def card(figures, notes, reports=()):
    out = [HEAD, "## How it was trained", ""] + [f"- {line}" for line in notes["training"]] + ["", "## Figures, on test songs that no training saw", "", notes["figures"], ""]
    if "codec" in figures:
        c = figures["codec"]
        out += ["### Codec", "", "| | SI-SDR, dB | log-mel distance | " + " | ".join(f"while {g} plays" for g in GROUPS) + " |", "|---" * (3 + len(GROUPS)) + "|"]
        for key, label in (("codec", "the codec, 2 kbit/s"), ("unquantised", "its autoencoder without the quantiser"), ("opus", "Opus, opusenc --music --bitrate 6")):
            if key in c:
                out.append(f"| {label} | {c[key]['si_sdr']:.2f} | {c[key]['log_mel']:.3f} | " + " | ".join(f"{c[key]['log_mel_' + g]:.3f}" for g in GROUPS) + " |")
        out += ["", "Bar: SI-SDR at least 6 dB. Perplexity of the books (bar: 410 of 1,024): " + ", ".join(f"{p:.0f}" for p in c["perplexity"]) + ".", "",
                "A linear classifier on counts of codes over 3 s says right whether a group plays (bar: 93 %, drums and bass 96 %):", ""]
        out += group_table({"right": c["code_count_probe"]}, percent) + [""]
    if "language" in figures:
        f = figures["language"]
        out += ["### Language model", "", f"Held-out cross entropy in nats per code (a uniform guess has {f['uniform']:.2f}):", "", "| | book 1 | 2 | 3 | 4 | mean |", "|---|---|---|---|---|---|"]
        for key, mean, label in (("without_text", "mean", "without text"), ("with_text", "mean_with_text", "with the caption")):
            out.append(f"| {label} | " + " | ".join(f"{x:.3f}" for x in f[key]) + f" | {f[mean]:.3f} |")
        out.append("")
    if "heads" in figures:
        out += ["Linear probe on the best single head, last step of 3 s (bars: drums 93 %, bass, guitar, piano 85 %):", ""]
        out += group_table({"right": {g: v["accuracy"] for g, v in figures["heads"].items()}}, percent) + [""]
    if "continuation" in figures:
        f = figures["continuation"]
        out += [f"### Continuation: {f['prompts']} prompts of 10 s, 20 s each", "", "| | same tempo | chroma cosine | silent for 2 s | loudness drift, dB |", "|---|---|---|---|---|"]
        for key, label in (("generated", "the model"), ("ceiling", "the song's own continuation"), ("floor", "another song's")):
            r = f[key]
            out.append(f"| {label} | {percent(r['same_tempo'])} | {r['chroma_cosine']:.3f} | {percent(r['silent_share'])} | {r['loudness_drift']:.1f} |")
        out += ["", "Bars: tempo 80 %, chroma 0.85, silence 3 %, drift 3 LU. Tempo by librosa, within 4 % counting half and double as the same; loudness is the RMS level.", ""]
    if "recogniser" in figures:
        out += ["### Recogniser: seconds told right (bars: 95 %, after the codec 90 %)", ""]
        out += group_table({"clean": figures["recogniser"]["clean"], "through the codec": figures["recogniser"]["through_codec"]}, percent) + [""]
    if "text" in figures:
        out += ["### Text: share of seconds in which the recogniser hears the group (bar: twice as often when named)", ""]
        out += group_table({"named": {g: v["named"] for g, v in figures["text"].items()}, "not named": {g: v["not_named"] for g, v in figures["text"].items()}}, percent) + [""]
    for report in reports:
        out += program(report)
    out += ["## What is missing or below its bar", ""] + [f"- {line}" for line in notes["missing"]]
    return "\n".join(out) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--figures", help="figures of evaluate.py")
    parser.add_argument("--program", action="append", default=[], help="report.json of the program; repeated")
    parser.add_argument("--notes", required=True)
    parser.add_argument("--out", required=True)
    options = parser.parse_args()
    with open(options.out, "w") as f:
        figures = json.load(open(options.figures)) if options.figures else {}
        f.write(card(figures, json.load(open(options.notes)), [json.load(open(path)) for path in options.program]))


if __name__ == "__main__":
    main()
