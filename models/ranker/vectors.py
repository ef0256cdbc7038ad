"""Item vectors from metadata and co-watch, for catalogues whose media is not at hand.

Reads from the folder:
  likes.npy    f32, n x 2: viewer and row of the catalogue, in order of time
  items.json   a list of {"genres": [...], "keywords": [...], "year": number or null}
Writes:
  items.npy    f32, items x 64, unit rows

Co-watch: the positive pointwise mutual information of two items that one viewer liked (Levy & Goldberg, NIPS 2014; each
viewer's pairs share one weight per like, so that long histories do not rule), factorised by truncated SVD into 48
dimensions. Metadata: genres, keywords and decades weighted by inverse document frequency, factorised into 16 dimensions.
Both parts are made unit length; an item that nobody liked has metadata alone.
"""

import json
import sys
from pathlib import Path

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import svds

CO_WATCH_DIM = 48
METADATA_DIM = 16
CO_WATCH_WEIGHT = 0.8


def factors(matrix, dim):
    """Left singular vectors times the root of the singular values, largest first, signs fixed."""
    if matrix.nnz == 0 or min(matrix.shape) <= dim:
        return np.zeros((matrix.shape[0], dim))
    start = np.full(min(matrix.shape), 1.0 / np.sqrt(min(matrix.shape)))
    u, s, _ = svds(matrix.astype(np.float64), k=dim, v0=start)
    order = np.argsort(-s)
    u, s = u[:, order], s[order]
    signs = np.sign(u[np.abs(u).argmax(axis=0), np.arange(dim)])
    return u * signs * np.sqrt(s)


def unit(rows):
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.divide(rows, length, out=np.zeros_like(rows), where=length > 1e-9)


def co_watch(likes, items):
    viewers, viewer = np.unique(likes[:, 0], return_inverse=True)
    seen = sparse.csr_matrix(
        (np.ones(len(likes)), (viewer, likes[:, 1].astype(np.int64))), shape=(len(viewers), items)
    )
    seen.data[:] = 1.0
    per_viewer = np.asarray(seen.sum(axis=1)).ravel()
    share = sparse.diags(1.0 / np.maximum(per_viewer - 1.0, 1.0))
    pairs = (seen.T @ share @ seen).tolil()
    pairs.setdiag(0.0)
    pairs = pairs.tocoo()
    total, degree = pairs.data.sum(), np.asarray(pairs.sum(axis=1)).ravel()
    keep = pairs.data > 0
    row, col, value = pairs.row[keep], pairs.col[keep], pairs.data[keep]
    information = np.log(value * total / (degree[row] * degree[col]))
    positive = information > 0
    matrix = sparse.csr_matrix(
        (information[positive], (row[positive], col[positive])), shape=(items, items)
    )
    return factors(matrix, CO_WATCH_DIM)


def metadata(items):
    names, rows, columns = {}, [], []
    for row, item in enumerate(items):
        words = [f"g:{genre}" for genre in item["genres"]] + [f"k:{word}" for word in item["keywords"]]
        if item["year"]:
            words.append(f"d:{item['year'] // 10}")
        for word in words or ["none"]:
            rows.append(row)
            columns.append(names.setdefault(word, len(names)))
    counts = np.bincount(columns, minlength=len(names))
    weights = np.log(1.0 + len(items) / counts)[columns]
    matrix = sparse.csr_matrix((weights, (rows, columns)), shape=(len(items), len(names)))
    return factors(matrix, METADATA_DIM)


def make(folder):
    items = json.loads((folder / "items.json").read_text())
    likes = np.load(folder / "likes.npy")
    both = np.hstack(
        [
            CO_WATCH_WEIGHT * unit(co_watch(likes, len(items))),
            (1.0 - CO_WATCH_WEIGHT) * unit(metadata(items)),
        ]
    )
    # An item of which nothing is known still needs a direction of its own.
    both[np.linalg.norm(both, axis=1) < 1e-9, -1] = 1.0
    np.save(folder / "items.npy", np.ascontiguousarray(unit(both), dtype="<f4"))


if __name__ == "__main__":
    make(Path(sys.argv[1]))
