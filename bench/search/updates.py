"""Recall before and after a fifth of a catalogue is replaced, and after it is compacted.

    python updates.py RECSYS FOLDER [more options of `recsys search`, such as --graph --ef 64]

FOLDER is what `recsys demo-vectors` wrote; its last sixth comes for the first fifth of the rest. The bundle `updated` is made in it.
"""

import subprocess
import sys
from pathlib import Path

import numpy as np

from recall import exact, recall, search


def main():
    recsys, folder, *more = sys.argv[1:]
    folder = Path(folder)
    items, ids = np.load(folder / "items.npy"), (folder / "ids.txt").read_text().split()
    first = len(items) * 5 // 6
    replaced = first // 5

    def write(name, rows):
        np.save(folder / f"{name}.npy", items[rows])
        (folder / f"{name}.txt").write_text("".join(f"{i}\n" for i in ids[rows]))
        return ["--vectors", folder / f"{name}.npy", "--ids", folder / f"{name}.txt"]

    def run(*args):
        subprocess.run([recsys, *args], check=True)

    bundle = folder / "updated"
    queries = folder / "queries.npy"

    def report(what, rows):
        nearest = exact(items[rows], np.load(queries), 10)
        names = ids[rows]
        wanted = [[names[row] for row in best] for best in nearest]
        found = search(recsys, bundle, queries, 10, more)[0]
        print(f"{what}: recall@10 {recall(found, wanted, 10):.4f}", flush=True)

    before, after = slice(0, first), slice(replaced, len(items))
    run("index", *write("before", before), "--out", bundle)
    report("before", before)
    run("add", *write("added", slice(first, len(items))), "--bundle", bundle)
    run("remove", "--bundle", bundle, *ids[:replaced])
    report("a fifth replaced", after)
    run("compact", "--bundle", bundle)
    report("compacted", after)


if __name__ == "__main__":
    main()
