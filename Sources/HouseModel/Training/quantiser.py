"""The training rule of the residual quantiser, which the reference class lacks: k-means start, moving averages, re-seeding.

Works on the buffers of EncodecModel.quantizer, so that the exported model is the reference class and nothing else. A small
head per book reads presence of the groups from each book's own vectors, averaged over time: whatever it learns to read is
linear in counts of codes. It is thrown away after training; its gradient keeps "drums play now" in the codes.
"""
import math

import torch

from .codec_losses import mel_matrix

DECAY = 0.99


class QuantiserTrainer:
    """Holds the moving averages. `books`: list of EncodecEuclideanCodebook.

    `narrow`: the first book has this many of the latent's dimensions to itself, the first ones, and zeros in the others (0: all). Few dimensions keep
    codes apart: in all 64 the second nearest of 1,024 codes is hardly farther than the nearest, and a sound moved by a part of a step has another."""

    def __init__(self, model, narrow=0):
        latent = model.quantizer.layers[0].codebook.embed.shape[1]
        self.own = torch.ones(latent)
        if narrow:
            self.own[narrow:] = 0
        self.books = [layer.codebook for layer in model.quantizer.layers]
        self.counts = [torch.ones(b.embed.shape[0]) for b in self.books]
        self.sums = [b.embed.clone() for b in self.books]

    def agreement(self, z, ids, pairs):
        """How surely the first book's code of one window is that of its shifted copy: cross entropy in nats, and the share that is the same.

        z: [batch, latent, steps]; ids: the first book's codes [batch, steps]; pairs: two lists of places in the batch. The surer, the farther apart
        the distances to the codes are, in units of the mean distance to the nearest."""
        table = self.books[0].embed
        first, second = pairs
        points, wanted = z[first + second].transpose(1, 2).reshape(-1, z.shape[1]) * self.own, torch.cat([ids[second], ids[first]]).flatten()
        distances = points.square().sum(1, keepdim=True) - 2 * points @ table.t() + table.square().sum(1)
        unit = distances.detach().min(1).values.mean() + 1e-6
        return torch.nn.functional.cross_entropy(-4 * distances / unit, wanted), (ids[first] == ids[second]).float().mean()

    @torch.no_grad()
    def start(self, latents, rounds=12):
        """k-means book by book on what the books before leave over. latents: [n, latent]."""
        rest = latents.clone()
        for i, book in enumerate(self.books):
            size = book.embed.shape[0]
            everything, rest = rest, rest * self.own if i == 0 else rest
            centres = rest[torch.randperm(len(rest))[:size]].clone()
            for _ in range(rounds):
                nearest = torch.cdist(rest, centres).argmin(1)
                counts = torch.bincount(nearest, minlength=size).float()
                sums = torch.zeros_like(centres).index_add_(0, nearest, rest)
                empty = counts == 0
                centres = torch.where(empty[:, None], rest[torch.randint(len(rest), (size,))], sums / counts.clamp(min=1)[:, None])
            book.embed.copy_(centres)
            self.counts[i] = torch.ones(size)
            self.sums[i] = centres.clone()
            rest = everything - centres[torch.cdist(rest, centres).argmin(1)]

    def quantise(self, z, learn):
        """z: [batch, latent, time]. Returns the quantised latent (straight through), each book's vectors with the gradient
        passed on, the commitment loss relative to the latent's variance, and the codes [books, batch, time]."""
        flat = z.transpose(1, 2)
        rest, total, loss, vectors, codes = flat, torch.zeros_like(flat), 0.0, [], []
        spread = flat.detach().var() + 1e-6
        for i, book in enumerate(self.books):
            with torch.no_grad():
                points = (rest.detach() * self.own if i == 0 else rest.detach()).reshape(-1, rest.shape[-1])
                ids = (book.embed.square().sum(1)[None] - 2 * points @ book.embed.t()).argmin(1)
                if learn:
                    self.learn(i, points, ids)
                q = book.embed[ids].view_as(rest)
            heard = rest * self.own if i == 0 else rest
            loss = loss + (heard - q).square().mean() / spread
            vectors.append(heard + (q - heard).detach())
            total = total + q
            rest = rest - q
            codes.append(ids.view(flat.shape[:2]))
        return (flat + (total - flat).detach()).transpose(1, 2), vectors, loss, torch.stack(codes)

    def learn(self, i, points, ids):
        """One step of the moving averages of book i, then re-seeding of codes that fell out of use."""
        book, size = self.books[i], self.books[i].embed.shape[0]
        usual = len(points) / size
        self.counts[i].mul_(DECAY).add_(torch.bincount(ids, minlength=size).float() / usual, alpha=1 - DECAY)
        self.sums[i].mul_(DECAY).index_add_(0, ids, points / usual, alpha=1 - DECAY)
        book.embed.copy_(self.sums[i] / self.counts[i].clamp(min=1e-4)[:, None])
        dead = torch.nonzero(self.counts[i] < 0.06)[:, 0]
        if len(dead):
            new = points[torch.randint(len(points), (len(dead),))]
            book.embed[dead] = new
            self.counts[i][dead] = 0.5
            self.sums[i][dead] = 0.5 * new

    def state(self):
        return dict(counts=self.counts, sums=self.sums)

    def load(self, state):
        self.counts, self.sums = state["counts"], state["sums"]


class PresenceHead(torch.nn.Module):
    """Reads the groups' presence from the books' vectors, a sum over books and a mean over time of what each vector says."""

    def __init__(self, books, latent, groups=5):
        super().__init__()
        self.read = torch.nn.ModuleList(torch.nn.Sequential(torch.nn.Linear(latent, 64), torch.nn.GELU(), torch.nn.Linear(64, groups)) for _ in range(books))

    def forward(self, vectors):
        """vectors: per book [batch, time, latent] -> logits [batch, groups]."""
        return sum(read(v) for read, v in zip(self.read, vectors)).mean(1) * 2.0


class SpectrumHead(torch.nn.Module):
    """Reads the log-mel spectrum around each step from the first book's vectors: what the first book then says of a moment is its spectrum, which
    stays when the sound moves by a part of a step, and the other books have the rest."""

    BANDS, WINDOW, STEP = 64, 2048, 640

    def __init__(self, latent):
        super().__init__()
        self.read = torch.nn.Sequential(torch.nn.Linear(latent, 128), torch.nn.GELU(), torch.nn.Linear(128, self.BANDS))
        self.register_buffer("window", torch.hann_window(self.WINDOW), persistent=False)
        self.register_buffer("mel", mel_matrix(self.WINDOW, self.BANDS), persistent=False)

    @torch.no_grad()
    def spectrum(self, audio):
        """[batch, samples] -> [batch, steps, bands], natural log, centred on the steps."""
        edge = (self.WINDOW - self.STEP) // 2
        frames = torch.nn.functional.pad(audio[:, None], (edge, edge), mode="reflect")[:, 0].unfold(1, self.WINDOW, self.STEP)
        return torch.log(torch.sqrt(torch.fft.rfft(frames * self.window).abs().square() @ self.mel + 1e-8) / math.sqrt(self.WINDOW) + 1e-3)

    def forward(self, vectors, audio):
        """Mean absolute error of what is read. vectors: [batch, steps, latent] of the first book; audio: [batch, samples]."""
        return (self.read(vectors) - self.spectrum(audio)).abs().mean()


@torch.no_grad()
def turn(model, latents, spectra, narrow):
    """Turns the latent space so that its first `narrow` dimensions are those that tell most of the spectra, without changing what the autoencoder does.

    latents [n, latent], spectra [n, bands]. The directions are the reduced-rank regression of the spectra on the latents."""
    x, y = latents - latents.mean(0), spectra - spectra.mean(0)
    told = torch.linalg.lstsq(x, y).solution
    _, _, bands = torch.linalg.svd(x @ told, full_matrices=False)
    first = torch.linalg.qr(told @ bands[:narrow].t()).Q
    rotation = torch.linalg.qr(torch.cat([first, torch.randn(x.shape[1], x.shape[1] - narrow)], 1)).Q.t()       # rows: the new dimensions
    out, into = model.encoder.layers[-1].conv, model.decoder.layers[0].conv
    for convolution, weight in ((out, torch.einsum("ij,jkl->ikl", rotation, out.weight)), (into, torch.einsum("ij,kjl->kil", rotation, into.weight))):
        convolution.parametrizations.weight.original0.copy_(weight.norm(dim=(1, 2), keepdim=True))
        convolution.parametrizations.weight.original1.copy_(weight)
    out.bias.copy_(rotation @ out.bias)
    for layer in model.quantizer.layers:
        layer.codebook.embed.copy_(layer.codebook.embed @ rotation.t())
