"""hnswlib and usearch, natively, behind the lines that crates/core/examples/search.rs documents.

Usage: native_peer.py ENGINE ITEMS.npy QUERIES.npy INDEX, where ENGINE is hnswlib, usearch-f32, usearch-i8 or exact (every
inner product, by NumPy). INDEX is a file that keeps the graph from one run to the next; exact has none.
"""

import json
import sys
import time
from pathlib import Path

import numpy as np

CONNECTIVITY = 16
EF_CONSTRUCTION = 200


def hnswlib_search(items, file):
    import hnswlib

    index = hnswlib.Index(space="ip", dim=items.shape[1])
    index.set_num_threads(1)
    if Path(file).exists():
        index.load_index(file, max_elements=len(items))
    else:
        index.init_index(len(items), ef_construction=EF_CONSTRUCTION, M=CONNECTIVITY, random_seed=1)
        index.add_items(items, np.arange(len(items)), num_threads=-1)
        index.save_index(file)

    def search(queries, k, ef):
        index.set_ef(max(ef, k))
        labels, _ = index.knn_query(queries, k=k, num_threads=1)
        return labels

    return search


def usearch_search(items, file, dtype):
    from usearch.index import Index

    index = Index(
        ndim=items.shape[1], metric="ip", dtype=dtype, connectivity=CONNECTIVITY, expansion_add=EF_CONSTRUCTION
    )
    if Path(file).exists():
        index.load(file)
    else:
        index.add(np.arange(len(items)), items)
        index.save(file)

    def search(queries, k, ef):
        index.expansion_search = max(ef, k)
        return index.search(queries, k, threads=1).keys

    return search


def exact_search(items):
    def search(queries, k, _ef):
        return np.argpartition(-(queries @ items.T), k - 1, axis=1)[:, :k]

    return search


def main():
    engine, items, queries, file = sys.argv[1:]
    items, queries = np.load(items), np.load(queries)
    if engine == "hnswlib":
        search = hnswlib_search(items, file)
    elif engine == "exact":
        search = exact_search(items)
    else:
        search = usearch_search(items, file, engine.removeprefix("usearch-"))
    for line in sys.stdin:
        what, *numbers = line.split()
        n, k, ef = map(int, numbers)
        start = time.perf_counter()
        rows = search(queries[:n], k, ef)
        elapsed = time.perf_counter() - start
        print(elapsed * 1e3 if what == "time" else json.dumps(rows.tolist()), flush=True)


main()
