"""Draws the training logs as SVG: `python -m Training.curves --work DIR --out DIR`. One picture per log that is there."""
import argparse
import csv
import os

from . import workspace

PICTURES = {
    "codec": [("si_sdr", "si_sdr_unquantised"), ("mel", "mel_validation", "wave"), ("perplexity_1", "perplexity_2", "perplexity_3", "perplexity_4")],
    "decoder": [("si_sdr",), ("mel", "mel_validation", "wave")],
    "lm": [("loss", "validation", "validation_text"), ("book_1", "book_2", "book_3", "book_4")],
    "dit": [("loss", "validation")],
    "recogniser": [("loss",), ("drums", "bass", "guitar", "piano", "other"), tuple(f"{g}_through_codec" for g in ("drums", "bass", "guitar", "piano", "other"))],
}
UNITS = dict(si_sdr="dB", mel="log-mel distance, relative waveform error", perplexity_1="perplexity", loss="loss", book_1="nats per code", drums="right seconds, validation songs", drums_through_codec="right seconds, through the codec")


def read(path):
    """Columns of a log: {name: ([seconds], [values])}, empty cells left out."""
    out = {}
    with open(path) as f:
        for row in csv.DictReader(f):
            for name, cell in row.items():
                if cell not in ("", None) and name != "seconds":
                    x, y = out.setdefault(name, ([], []))
                    x.append(float(row["seconds"]) / 60)
                    y.append(float(cell))
    return out


def draw(columns, panels, path):
    import matplotlib
    matplotlib.use("Agg")
    matplotlib.rcParams["svg.hashsalt"] = "continuo"
    from matplotlib import pyplot
    figure, axes = pyplot.subplots(1, len(panels), figsize=(5 * len(panels), 3.4), squeeze=False)
    for axis, names in zip(axes[0], panels):
        for name in names:
            if name in columns:
                x, y = columns[name]
                if name == "wave" or name == "mel":
                    keep = [i for i in range(len(y)) if 0 < y[i] < 1.5]
                    x, y = [x[i] for i in keep], [y[i] for i in keep]
                axis.plot(x, y, label=name.replace("_", " "), linewidth=1.2)
        axis.set_xlabel("minutes of training")
        axis.set_ylabel(UNITS.get(names[0], names[0]))
        axis.legend(fontsize=7, frameon=False)
        axis.grid(alpha=0.25)
    figure.tight_layout()
    figure.savefig(path, metadata=dict(Date=None))
    pyplot.close(figure)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    workspace.add_option(parser)
    parser.add_argument("--out", required=True)
    options = parser.parse_args()
    os.makedirs(options.out, exist_ok=True)
    for name, panels in PICTURES.items():
        path = os.path.join(options.work, f"{name}.csv")
        if os.path.exists(path):
            draw(read(path), panels, os.path.join(options.out, f"{name}-curves.svg"))
            print(name)


if __name__ == "__main__":
    main()
