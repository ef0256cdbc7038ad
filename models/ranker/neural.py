"""A neural ranker with one hidden layer on the rows of `recsys train` and `recsys eval`, to compare with the trees.

    python3 models/ranker/neural.py TRAIN_FOLDER EVAL_FOLDER [SEED]

TRAIN_FOLDER and EVAL_FOLDER were written with `--save-data`. Inputs: each feature standardised by the training rows and
cut to ±5, 0 where missing, and a missing indicator for features that ever are; categories one-hot for their 32 most
frequent values. Hidden: 32 units, ReLU. Loss: softmax cross-entropy over each slate (ListNet's top-one loss; Cao et al.,
ICML 2007), with weight decay on the first layer. The newest 15 % of the training slates decide when to stop. Prints
NDCG@10 on EVAL_FOLDER with a 95 % interval over viewers, next to the paths that `recsys eval` measured, the paired
difference to `trees`, and the bytes of its weights as f32.
"""

import json
import sys
from pathlib import Path

import numpy as np

HIDDEN = 32
CATEGORIES = 32
BATCH = 256
EPOCHS = 400
PATIENCE = 25
RATE = 2e-3
DECAY = 1e-3


class Encoder:
    """From rows of features to inputs."""

    def __init__(self, rows, names, categorical):
        self.numeric = [i for i, name in enumerate(names) if name not in categorical]
        self.categories = []
        for i, name in enumerate(names):
            if name in categorical:
                values, counts = np.unique(rows[np.isfinite(rows[:, i]), i], return_counts=True)
                self.categories += [(i, v) for v in values[np.argsort(-counts)][:CATEGORIES]]
        finite = np.where(np.isfinite(rows[:, self.numeric]), rows[:, self.numeric], np.nan)
        with np.errstate(all="ignore"):
            self.mean = np.nan_to_num(np.nanmean(finite, axis=0))
            self.scale = np.nan_to_num(np.nanstd(finite, axis=0))
        self.scale[self.scale < 1e-6] = 1.0
        self.missing = np.flatnonzero(np.isnan(finite).any(axis=0))

    def __call__(self, rows):
        x = (rows[:, self.numeric] - self.mean) / self.scale
        missing = ~np.isfinite(x)
        x = np.clip(np.where(missing, 0.0, x), -5.0, 5.0)
        hot = [rows[:, i] == v for i, v in self.categories]
        parts = [x, missing[:, self.missing]] + ([np.stack(hot, axis=1)] if hot else [])
        return np.hstack(parts).astype(np.float32)


def starts(sizes):
    return np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(np.int64)


def softmax(scores, sizes):
    begin = starts(sizes)
    top = np.repeat(np.maximum.reduceat(scores, begin), sizes)
    e = np.exp(scores - top)
    return e / np.repeat(np.add.reduceat(e, begin), sizes)


class Net:
    def __init__(self, inputs, rng):
        self.p = [
            (rng.standard_normal((inputs, HIDDEN)) * np.sqrt(2.0 / inputs)).astype(np.float32),
            np.zeros(HIDDEN, dtype=np.float32),
            (rng.standard_normal(HIDDEN) * 0.1).astype(np.float32),
        ]
        self.m = [np.zeros_like(p) for p in self.p]
        self.v = [np.zeros_like(p) for p in self.p]
        self.t = 0

    def score(self, x):
        return np.maximum(x @ self.p[0] + self.p[1], 0.0) @ self.p[2]

    def step(self, x, y, sizes):
        hidden = np.maximum(x @ self.p[0] + self.p[1], 0.0)
        share = y / np.repeat(np.add.reduceat(y, starts(sizes)), sizes)
        error = ((softmax(hidden @ self.p[2], sizes) - share) / len(sizes)).astype(np.float32)
        back = np.outer(error, self.p[2]) * (hidden > 0)
        self.t += 1
        for i, g in enumerate([x.T @ back + DECAY * self.p[0], back.sum(axis=0), hidden.T @ error]):
            # Adam (Kingma & Ba, ICLR 2015).
            self.m[i] = 0.9 * self.m[i] + 0.1 * g
            self.v[i] = 0.999 * self.v[i] + 0.001 * g * g
            m, v = self.m[i] / (1 - 0.9**self.t), self.v[i] / (1 - 0.999**self.t)
            self.p[i] = (self.p[i] - RATE * m / (np.sqrt(v) + 1e-8)).astype(np.float32)


def ndcg(scores, labels, sizes, k=10):
    found = []
    for begin, size in zip(starts(sizes), sizes):
        order = np.argsort(-scores[begin : begin + size], kind="stable")[:k]
        truth = labels[begin : begin + size]
        discount = 1.0 / np.log2(np.arange(2, k + 2))
        best = discount[: int(min(k, truth.sum()))].sum()
        found.append((truth[order] * discount[: len(order)]).sum() / best if best else 0.0)
    return np.array(found)


def load(folder):
    return (
        np.load(folder / "features.npy"),
        np.load(folder / "labels.npy").ravel(),
        np.load(folder / "slates.npy")[:, 0].astype(np.int64),
    )


def interval(viewers, values):
    _, index = np.unique(viewers, return_inverse=True)
    sums, counts = np.bincount(index, values), np.bincount(index)
    drawn = np.random.default_rng(1).integers(0, len(sums), (2000, len(sums)))
    means = sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1)
    return "{:.4f} [{:.4f}, {:.4f}]".format(values.mean(), *np.percentile(means, [2.5, 97.5]))


def fit(folder, seed):
    rng = np.random.default_rng(seed)
    task = json.loads((folder / "task.json").read_text())
    rows, labels, sizes = load(folder)
    encode = Encoder(rows, task["features"], set(task["categorical"]))
    x, begin, fit_slates = encode(rows), starts(sizes), task["fit_slates"]
    cut = int(sizes[:fit_slates].sum())
    net, best, waited = Net(x.shape[1], rng), (-1.0, None), 0
    for _ in range(EPOCHS):
        order = rng.permutation(fit_slates)
        for batch in np.split(order, np.arange(BATCH, fit_slates, BATCH)):
            take = np.concatenate([np.arange(begin[s], begin[s] + sizes[s]) for s in batch])
            net.step(x[take], labels[take], sizes[batch])
        value = ndcg(net.score(x[cut:]), labels[cut:], sizes[fit_slates:]).mean()
        if value > best[0]:
            best, waited = (value, [p.copy() for p in net.p]), 0
        else:
            waited += 1
            if waited == PATIENCE:
                break
    net.p = best[1]
    return encode, net, best[0]


def main():
    train, test = Path(sys.argv[1]), Path(sys.argv[2])
    encode, net, validation = fit(train, int(sys.argv[3]) if len(sys.argv) > 3 else 1)
    rows, labels, sizes = load(test)
    values = ndcg(net.score(encode(rows)), labels, sizes)
    slates = [json.loads(line) for line in (test / "slates.jsonl").read_text().splitlines()]
    viewers = np.array([slate["viewer"] for slate in slates])
    for path in slates[0]["ndcg"]:
        print(f"| {path} | {interval(viewers, np.array([s['ndcg'][path] for s in slates]))} |")
    print(f"| neural | {interval(viewers, values)} |")
    trees = np.array([s["ndcg"]["trees"] for s in slates])
    print(f"| neural minus trees | {interval(viewers, values - trees)} |")
    size = sum(p.nbytes for p in net.p) + 8 * len(encode.mean)
    print(f"validation NDCG@10 {validation:.4f}; {size} bytes of weights")


if __name__ == "__main__":
    main()
