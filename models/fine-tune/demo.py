"""The demonstration's split and its measure of what the base does well: demo.py WORLD SPLIT OUT

WORLD: of `recsys demo-world`; SPLIT: of `recsys demo-pairs --split heldout`. Writes OUT/held-out.txt, the videos of the
world whose thing, colour and place mini-clip never saw together, and in the form of `pairs.py`:

- OUT/captions: the titles of SPLIT's 100 videos among these 100, and among 19 scenes that differ in one attribute;
- OUT/colour: made co-watch of viewers who follow colours, to learn from and to measure with.
"""

import os
import pathlib
import random
import sys

import numpy as np
from PIL import Image

from pairs import lines, write_lines

FRAMES, NEIGHBOUR_FRAMES, NEIGHBOURS = 8, 4, 19
# Made pairs of the colour followers, and the chance with which a drawn pair of two colours is kept: as about seven in
# eight drawn pairs are such, a quarter of all kept ones.
COLOUR_PAIRS, STRAY = 20_000, 0.05
_MASK = (1 << 64) - 1
# The order of crates/world/src/vocab.rs.
THINGS = (
    "fox", "cat", "fish", "bird", "butterfly", "turtle", "car", "train", "sailing boat", "rocket", "hot air balloon",
    "guitar", "umbrella", "mushroom", "robot", "birthday cake",
)  # fmt: skip
COLOURS = ("red", "orange", "yellow", "green", "blue", "purple", "pink", "white")
PLACES = ("beach", "forest", "city", "mountains", "desert", "meadow", "funfair", "arctic")


def held_out(thing: str, colour: str, place: str) -> bool:
    """`is_held_out` of crates/world/src/scene.rs."""
    number = (THINGS.index(thing) * len(COLOURS) + COLOURS.index(colour)) * len(PLACES) + PLACES.index(place)
    z = ((number ^ 0x48454C44) + 0x9E3779B97F4A7C15) & _MASK
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _MASK
    return (z ^ (z >> 31)) % 10 == 0


def _save(folder: pathlib.Path, frames: np.ndarray) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for number, frame in enumerate(frames):
        Image.fromarray(frame).save(folder / f"{number}.png")


def captions(split: pathlib.Path, out: pathlib.Path) -> None:
    """Catalogue, pictures and queries of the 100 videos and their neighbours."""
    records, others = lines(split / "captions.jsonl"), lines(split / "neighbours.jsonl")
    for record in records:
        if not held_out(record["thing"], record["colour"], record["place"]):
            raise SystemExit(f"{split}: {record['title']!r} is not held out by demo.py's rule; it must follow scene.rs")
    own = np.load(split / "images.npy", mmap_mode="r").reshape(len(records), FRAMES, 64, 64, 3)
    near = np.load(split / "neighbours.npy", mmap_mode="r").reshape(len(others), NEIGHBOUR_FRAMES, 64, 64, 3)
    videos, queries = [], []
    every = [f"c{at:03}" for at in range(len(records))]
    for at, record in enumerate(records):
        group = [every[at]] + [f"{every[at]}-{n:02}" for n in range(NEIGHBOURS)]
        scenes = [record, *others[at * NEIGHBOURS : (at + 1) * NEIGHBOURS]]
        pictures = [own[at], *near[at * NEIGHBOURS : (at + 1) * NEIGHBOURS]]
        for id, scene, frames in zip(group, scenes, pictures, strict=True):
            _save(out / "media" / id, frames)
            videos.append({"id": id, "name": scene["title"], "contentUrl": f"media/{id}"})
        for kind, among in (("title among 100", every), ("title among 20", group)):
            queries.append({"kind": kind, "text": record["title"], "relevant": [every[at]], "among": among})
    write_lines(out / "videos.jsonl", videos)
    write_lines(out / "queries.jsonl", queries)


def colour(world: pathlib.Path, videos: list[dict], ids: set[str], out: pathlib.Path) -> None:
    """Pairs of the videos outside `ids`, most of one colour; from each still of those in `ids` to its own colour."""
    out.mkdir(parents=True, exist_ok=True)
    rng = random.Random(1)
    locate = lambda url: os.path.relpath(world / url, out)  # noqa: E731
    rest = [(locate(video["contentUrl"]), video["keywords"][1]) for video in videos if video["id"] not in ids]
    pairs: set[tuple[str, str]] = set()
    while len(pairs) < COLOUR_PAIRS:
        (a, one), (b, other) = rng.sample(rest, 2)
        if one == other or rng.random() < STRAY:
            pairs.add((a, b))
    write_lines(out / "cowatch.jsonl", [{"image": a, "with": b, "weight": 1.0} for a, b in sorted(pairs)])
    own = [video for video in videos if video["id"] in ids]
    same = {value: [video["id"] for video in own if video["keywords"][1] == value] for value in COLOURS}
    queries = [
        {
            "kind": "same colour",
            "image": locate(video["thumbnailUrl"]),
            "relevant": [id for id in same[video["keywords"][1]] if id != video["id"]],
            "not": video["id"],
        }
        for video in own
    ]
    write_lines(out / "videos.jsonl", [video | {"contentUrl": locate(video["contentUrl"])} for video in own])
    write_lines(out / "queries.jsonl", queries)


def main() -> None:
    if len(sys.argv) != 4:
        raise SystemExit("usage: demo.py WORLD SPLIT OUT")
    world, split, out = map(pathlib.Path, sys.argv[1:])
    captions(split, out / "captions")
    videos = lines(world / "videos.jsonl")
    ids = [v["id"] for v in videos if held_out(v["keywords"][0], v["keywords"][1], v["keywords"][2])]
    (out / "held-out.txt").write_text("".join(f"{id}\n" for id in ids), encoding="utf-8")
    colour(world, videos, set(ids), out / "colour")
    print(f"{len(ids)} of {len(videos)} videos held out")


if __name__ == "__main__":
    main()
