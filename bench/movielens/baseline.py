"""LightGBM on MovieLens the plain way, on the very slates that `recsys` trained on and was measured on.

    python3 bench/movielens/baseline.py WORK SEED_FOLDER...

WORK is what `recsys import movielens` wrote. Each SEED_FOLDER has train.jsonl and eval.jsonl, written by
`recsys train --save-slates` and `recsys eval --save-slates` with one seed. Statistics come from events earlier than a
slate. Features: likes, likes with a half-life of 30 days, co-occurrence with the viewer's likes (sum, maximum, last),
genre and year affinity, length of the history, time since the last like. Prints NDCG@10 of every ranking with 95 %
intervals over viewers, all seeds together, and the paired differences to the plain LightGBM.
"""

import json
import sys
from collections import defaultdict
from pathlib import Path

import lightgbm as lgb
import numpy as np

HALF_LIFE_MS = 30 * 86_400_000.0
WINDOW = 10
RESAMPLES = 2000
PARAMETERS = {
    "objective": "lambdarank",
    "learning_rate": 0.08,
    "num_leaves": 31,
    "min_data_in_leaf": 50,
    "lambdarank_truncation_level": 20,
    "feature_fraction": 0.7,
    "bagging_fraction": 0.8,
    "bagging_freq": 1,
    "verbosity": -1,
    "num_threads": 1,
}
ROUNDS = 150


def lines(path):
    with open(path) as file:
        return [json.loads(line) for line in file]


class Statistics:
    """What is known by a moment."""

    def __init__(self, videos):
        self.row = {video["id"]: i for i, video in enumerate(videos)}
        n = len(videos)
        names = sorted({genre for video in videos for genre in video.get("genre", [])})
        self.genres = np.zeros((n, len(names)), dtype=np.float32)
        for i, video in enumerate(videos):
            for genre in video.get("genre", []):
                self.genres[i, names.index(genre)] = 1.0
        self.genres /= np.maximum(np.linalg.norm(self.genres, axis=1, keepdims=True), 1.0)
        self.year = np.array([float(video.get("uploadDate", "nan")[:4]) for video in videos])
        self.likes = np.zeros(n)
        self.decayed, self.at = np.zeros(n), np.zeros(n)
        self.together = np.zeros((n, n), dtype=np.float32)
        self.history, self.last = defaultdict(list), {}

    def like(self, user, item, ts):
        row, mine = self.row[item], self.history[user]
        self.together[row, mine] += 1.0
        self.together[mine, row] += 1.0
        self.decayed[row] = self.decayed[row] * 0.5 ** ((ts - self.at[row]) / HALF_LIFE_MS) + 1.0
        self.at[row], self.likes[row] = ts, self.likes[row] + 1.0
        mine.append(row)
        self.last[user] = ts

    def features(self, slate):
        rows = np.array([self.row[item] for item in slate["items"]])
        ts, mine = slate["ts"], np.array(self.history[slate["user"]])
        recent = mine[-WINDOW:]
        pairs = self.together[np.ix_(rows, recent)]
        decayed = self.decayed[rows] * 0.5 ** ((ts - self.at[rows]) / HALF_LIFE_MS)
        years = self.year[recent]
        usual = np.nanmean(years) if np.isfinite(years).any() else np.nan
        columns = [
            np.log1p(self.likes[rows]),
            np.log1p(decayed),
            pairs.sum(axis=1),
            pairs.max(axis=1),
            pairs[:, -1],
            self.genres[rows] @ self.genres[mine].mean(axis=0),
            self.year[rows] - usual,
            np.full(len(rows), len(mine)),
            np.full(len(rows), ts - self.last[slate["user"]]),
        ]
        return np.stack(columns, axis=1).astype(np.float32)


def replay(videos, events, slates):
    """Features of every slate, in the order given (rising in time)."""
    statistics, features, next_event = Statistics(videos), [], 0
    for slate in slates:
        while next_event < len(events) and events[next_event]["ts"] < slate["ts"]:
            event = events[next_event]
            if event["event"] == "click":
                statistics.like(event["user"]["id"], event["item"], event["ts"])
            next_event += 1
        features.append(statistics.features(slate))
    return features


def labels(slate):
    truth = np.zeros(len(slate["items"]))
    truth[slate["positive"]] = 1.0
    return truth


def ndcg(scores, truth, k=10):
    order = np.argsort(-scores, kind="stable")[:k]
    discount = 1.0 / np.log2(np.arange(2, k + 2))
    best = discount[: int(truth.sum())].sum()
    return float((truth[order] * discount[: len(order)]).sum() / best)


def measure(videos, events, folder, seed):
    """Per slate of eval.jsonl: user and NDCG@10 of every ranking."""
    train, test = lines(folder / "train.jsonl"), lines(folder / "eval.jsonl")
    features = replay(videos, events, train + test)
    fit = np.concatenate(features[: len(train)])
    data = lgb.Dataset(fit, np.concatenate([labels(s) for s in train]), group=[len(s["items"]) for s in train])
    model = lgb.train({**PARAMETERS, "seed": seed}, data, ROUNDS)
    scores = model.predict(np.concatenate(features[len(train) :]), num_threads=1)
    shuffle, found, at = np.random.default_rng(seed), [], 0
    for slate, rows in zip(test, features[len(train) :]):
        mine, at = scores[at : at + len(rows)], at + len(rows)
        # Ties in random order, as `recsys eval` breaks them.
        order = shuffle.permutation(len(rows))
        truth = labels(slate)[order]
        values = dict(slate["ndcg"])
        values["LightGBM, plain"] = ndcg(mine[order], truth)
        values["co-occurrence"] = ndcg(rows[order, 2], truth)
        found.append((slate["user"], values))
    return found


def interval(users, values):
    """Mean, and percentiles of means over resampled viewers."""
    names, index = np.unique(users, return_inverse=True)
    sums, counts = np.bincount(index, values), np.bincount(index)
    drawn = np.random.default_rng(1).integers(0, len(names), (RESAMPLES, len(names)))
    means = sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1)
    return values.mean(), *np.percentile(means, [2.5, 97.5])


def main():
    work, folders = Path(sys.argv[1]), [Path(name) for name in sys.argv[2:]]
    videos, events = lines(work / "videos.jsonl"), lines(work / "events.jsonl")
    found = []
    for seed, folder in enumerate(folders, 1):
        one = measure(videos, events, folder, seed)
        means = {name: np.mean([v[name] for _, v in one]) for name in one[0][1]}
        print(folder, len(one), "slates", {k: round(float(v), 4) for k, v in means.items()}, flush=True)
        found += one
    users = np.array([user for user, _ in found])
    print(f"{len(folders)} seeds, {len(found)} slates of {len(set(users))} viewers, NDCG@10")
    table = {name: np.array([values[name] for _, values in found]) for name in found[0][1]}
    for name, values in sorted(table.items(), key=lambda item: item[1].mean()):
        print("| {} | {:.3f} [{:.3f}, {:.3f}] |".format(name, *interval(users, values)))
    for name in ("trees", "full"):
        gain = table[name] - table["LightGBM, plain"]
        print("| {} minus LightGBM, plain | {:.3f} [{:.3f}, {:.3f}] |".format(name, *interval(users, gain)))


if __name__ == "__main__":
    main()
