"""Recall of a bundle's search against NumPy's exact neighbours, and how many shards it asked.

    python recall.py RECSYS BUNDLE ITEMS.npy QUERIES.npy [K] [more options of `recsys search`, such as --probes 4 --ef 64]

Rows of ITEMS.npy are the videos `item-000000` on, as `recsys demo-vectors` writes them.
"""

import json
import subprocess
import sys

import numpy as np


def exact(items, queries, k):
    """The k nearest rows of each query, by inner product."""
    rows = []
    for start in range(0, len(queries), 50):
        products = queries[start : start + 50] @ items.T
        rows.extend(np.argpartition(-products, k, axis=1)[:, :k])
    return rows


def search(recsys, bundle, queries_file, k, more):
    """The ids that the command finds for each query, and how many inner products each took."""
    command = [recsys, "search", "--bundle", bundle, "--vectors", queries_file, "-k", str(k), "--json", "--stats", *more]
    answer = subprocess.run(command, check=True, capture_output=True, text=True)
    found = [[hit["id"] for hit in json.loads(line)] for line in answer.stdout.splitlines()]
    return found, [json.loads(line)["distances"] for line in answer.stderr.splitlines()]


def recall(found, nearest, k):
    """The share of the k nearest of each query that was found."""
    return np.mean([len(set(own) & set(best)) / k for own, best in zip(found, nearest)])


def main():
    recsys, bundle, items_file, queries_file, *more = sys.argv[1:]
    k = int(more.pop(0)) if more and more[0].isdigit() else 10
    found, distances = search(recsys, bundle, queries_file, k, more)
    nearest = exact(np.load(items_file), np.load(queries_file), k)
    rows = [[int(id.removeprefix("item-")) for id in own] for own in found]
    print(f"recall@{k} {recall(rows, nearest, k):.4f} over {len(found)} queries, {np.mean(distances):.0f} inner products a query")


if __name__ == "__main__":
    main()
