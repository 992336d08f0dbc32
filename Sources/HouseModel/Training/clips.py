"""Draws clips as mel spectrograms, one below the other: `python -m Training.clips --out clips.png FILE TITLE FROM [FILE TITLE FROM ...]`, 30 s of each from second FROM on."""
import argparse

SECONDS, RATE = 30, 32000


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", required=True)
    parser.add_argument("clips", nargs="+", metavar="FILE TITLE FROM")
    options = parser.parse_args()
    if len(options.clips) % 3:
        raise SystemExit("each clip is FILE TITLE FROM")
    import librosa
    import matplotlib
    matplotlib.use("Agg")
    from matplotlib import pyplot
    rows = list(zip(*[iter(options.clips)] * 3))
    figure, axes = pyplot.subplots(len(rows), 1, figsize=(10, 2.4 * len(rows)), squeeze=False)
    for axis, (path, title, begin) in zip(axes[:, 0], rows):
        sound, rate = librosa.load(path, sr=RATE, duration=SECONDS, offset=float(begin))
        level = librosa.power_to_db(librosa.feature.melspectrogram(y=sound, sr=rate, n_fft=2048, hop_length=512, n_mels=128), ref=1.0)
        axis.imshow(level, origin="lower", aspect="auto", extent=(float(begin), float(begin) + len(sound) / rate, 0, 128), vmin=-50, vmax=35, cmap="magma")
        axis.set_title(title, fontsize=8, loc="left")
        axis.set_ylabel("mel band")
    axes[-1, 0].set_xlabel("seconds")
    figure.tight_layout()
    figure.savefig(options.out, dpi=80)


if __name__ == "__main__":
    main()
