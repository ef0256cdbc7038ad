"""Training pairs: pictures, captions, and what each caption leaves open."""

import functools
import io
import json
import pathlib
from collections import defaultdict

import numpy as np
import torch
from PIL import Image
from torch.nn import functional as F

from model import MEAN, STD
from tokenizer import END, START, Tokenizer

ATTRIBUTES = ("thing", "colour", "place", "time", "motion")
# Longest run of words that is looked at to tell what a caption says.
_PHRASE = 3
# A phrase rules a value out once that many sightings with it were to be expected and none came:
# by chance that happens to one phrase in e^12.
_EXPECTED = 12.0


def read_records(folder: pathlib.Path) -> list[dict]:
    with open(folder / "captions.jsonl", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


class Attributes:
    """Attribute values as numbers."""

    def __init__(self, records: list[dict]) -> None:
        self.values = {name: sorted({record[name] for record in records}) for name in ATTRIBUTES}

    def encode(self, records: list[dict]) -> np.ndarray:
        """[N, 5] value numbers."""
        index = {name: {value: i for i, value in enumerate(values)} for name, values in self.values.items()}
        return np.array([[index[name][record[name]] for name in ATTRIBUTES] for record in records], np.int64)

    def counts(self) -> list[int]:
        return [len(self.values[name]) for name in ATTRIBUTES]


class Meaning:
    """Which attribute values a text allows, learned from which phrases go with which values.

    A text allows a value unless one of its phrases is never seen with it. So "a fox at night" allows
    every colour and place, and "an animal" every animal. Training needs this: a picture that fits a
    caption must not count as a wrong answer to it.
    """

    def __init__(self, texts: list[str], rows: np.ndarray, values: np.ndarray, counts: list[int]) -> None:
        """rows: [len(texts)] the picture of each text; values: [N, 5]."""
        self._ends = np.cumsum(counts)
        self._size = int(self._ends[-1])
        starts = self._ends - np.array(counts)
        columns = values + starts
        base = np.zeros(self._size)
        np.add.at(base, columns[rows].ravel(), 1.0)
        base /= len(rows)
        seen: dict[str, list[int]] = defaultdict(list)
        for text, row in zip(texts, rows):
            for phrase in _phrases(text):
                seen[phrase].append(row)
        self._allowed = {}
        for phrase, where in seen.items():
            found = np.bincount(columns[where].ravel(), minlength=self._size)
            allowed = (found > 0) | (len(where) * base < _EXPECTED)
            if not allowed.all():
                self._allowed[phrase] = allowed
        self.of = functools.lru_cache(200_000)(self._of)

    def _of(self, text: str) -> np.ndarray:
        """[sum of counts] booleans, attribute after attribute."""
        allowed = np.ones(self._size, bool)
        for phrase in _phrases(text):
            known = self._allowed.get(phrase)
            if known is not None:
                allowed &= known
        return allowed

    def split(self, allowed: np.ndarray) -> list[np.ndarray]:
        """[..., sum of counts] -> one array for each attribute."""
        return np.split(allowed, self._ends[:-1], axis=-1)


def _phrases(text: str) -> set[str]:
    words = text.lower().replace(",", " ").replace(".", " ").split()
    return {
        " ".join(words[at : at + length])
        for length in range(1, _PHRASE + 1)
        for at in range(len(words) - length + 1)
    }


class Vocabulary:
    """The rows of the token table: the ids that training texts use, ascending, with start and end."""

    def __init__(self, ids: list[int], context: int) -> None:
        self.ids = ids
        self.context = context
        self._row = {token: row for row, token in enumerate(ids)}
        self._tokenizer = Tokenizer()
        self.encode = functools.lru_cache(200_000)(self._encode)

    @classmethod
    def of(cls, texts: list[str], context: int) -> "Vocabulary":
        tokenizer = Tokenizer()
        words = {word for text in set(texts) for word in text.split()}
        # Whole texts and single words: dropped words may leave punctuation standing alone.
        used = {token for text in set(texts) | words for token in tokenizer.encode(text)}
        return cls(sorted(used | {START, END}), context)

    def _encode(self, text: str) -> list[int]:
        """Table rows of start, the known tokens, end; at most `context`."""
        known = [self._row[token] for token in self._tokenizer.encode(text) if token in self._row]
        return [self._row[START], *known[: self.context - 2], self._row[END]]

    def token_ids(self, text: str) -> list[int]:
        """As `encode`, but CLIP token ids."""
        return [self.ids[row] for row in self.encode(text)]

    def batch(self, texts: list[str]) -> tuple[torch.Tensor, torch.Tensor]:
        """[N, L] rows, padded with end, and [N] the position of each end."""
        rows = [self.encode(text) for text in texts]
        padded = np.full((len(rows), max(map(len, rows))), len(self.ids) - 1, np.int64)
        for at, row in enumerate(rows):
            padded[at, : len(row)] = row
        return torch.from_numpy(padded), torch.tensor([len(row) - 1 for row in rows])


def shorten(text: str, rng: np.random.Generator) -> str:
    """Sometimes drops single words, sometimes keeps one run of words only."""
    words = text.split()
    kind = rng.random()
    if kind < 0.70:
        return text
    if kind < 0.85:
        kept = [word for word in words if rng.random() > 0.2]
    else:
        length = int(rng.integers(1, len(words) + 1))
        at = int(rng.integers(0, len(words) - length + 1))
        kept = words[at : at + length]
    return " ".join(kept) if kept else text


def normalise(images: np.ndarray) -> torch.Tensor:
    """u8 [N, H, W, 3] -> f32 [N, 3, H, W] with CLIP's mean and deviation."""
    return _standardise(torch.from_numpy(images.astype(np.float32)).permute(0, 3, 1, 2) / 255)


def _standardise(pixels: torch.Tensor) -> torch.Tensor:
    return (pixels - torch.tensor(MEAN).view(3, 1, 1)) / torch.tensor(STD).view(3, 1, 1)


def vary_images(images: np.ndarray, rng: np.random.Generator) -> torch.Tensor:
    """What a codec, a resize and a camera may do to a picture, then `normalise`. Never mirrors."""
    images = images.copy()
    for at in np.flatnonzero(rng.random(len(images)) < 0.25):
        packed = io.BytesIO()
        Image.fromarray(images[at]).save(packed, "JPEG", quality=int(rng.integers(30, 80)))
        images[at] = np.asarray(Image.open(packed))
    n, side = len(images), images.shape[1]
    draw = lambda low, high, *shape: torch.from_numpy(rng.uniform(low, high, shape).astype(np.float32))  # noqa: E731
    pixels = torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255
    # Zoom and shift, by at most 3 pixels of 64.
    theta = torch.zeros(n, 2, 3)
    zoom = draw(0.94, 1.06, n)
    theta[:, 0, 0] = theta[:, 1, 1] = zoom
    theta[:, :, 2] = draw(-0.09, 0.09, n, 2)
    grid = F.affine_grid(theta, list(pixels.shape), align_corners=False)
    pixels = F.grid_sample(pixels, grid, mode="bilinear", padding_mode="border", align_corners=False)
    soft = torch.from_numpy(np.flatnonzero(rng.random(n) < 0.25))
    if len(soft) > 0:
        small = F.interpolate(pixels[soft], size=int(rng.integers(36, 56)), mode="bilinear", antialias=True)
        pixels[soft] = F.interpolate(small, size=side, mode="bicubic")
    gain = draw(0.9, 1.1, n, 1, 1, 1) * draw(0.97, 1.03, n, 3, 1, 1)
    pixels = (pixels - 0.5) * draw(0.9, 1.1, n, 1, 1, 1) + 0.5
    noise = torch.from_numpy(rng.standard_normal(pixels.shape, np.float32)) * draw(0.0, 0.03, n, 1, 1, 1)
    return _standardise((pixels * gain + noise).clamp(0, 1))


def hard_batch(values: np.ndarray, groups: int, size: int, rng: np.random.Generator) -> np.ndarray:
    """[groups * size] picture numbers: in each group, pictures that share most attributes."""
    chosen = []
    for seed in rng.integers(0, len(values), groups):
        shared = (values == values[seed]).sum(1) + 0.9 * rng.random(len(values))
        shared[seed] = np.inf
        nearest = np.argpartition(-shared, size)[:size]
        chosen.append(nearest)
    return np.concatenate(chosen)
