"""A CLIP of Hugging Face's form: what comes out of its towers before the two projections.

Both towers stay as they are. Rows of the token table may be trained, in front of the text tower.
"""

import hashlib
import json
import pathlib
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from PIL import Image
from torch.nn import functional as F
from transformers import CLIPModel

import media

START, END = 49406, 49407
# OpenAI's, where preprocessor_config.json is missing or says nothing.
_MEAN, _STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
# Videos whose pictures are in memory at once.
_CHUNK = 64
# Texts of one run of the text tower.
_TEXTS = 256


class Clip:
    """The model of a folder, in f32 and evaluation mode; nothing of it takes gradients."""

    def __init__(self, folder: pathlib.Path, recsys: str) -> None:
        """recsys: the command, for its tokenizer."""
        for name in ("config.json", "model.safetensors"):
            if not (folder / name).is_file():
                raise SystemExit(f"{folder / name}: no such file; expected a CLIP of Hugging Face's form")
        self.folder, self._recsys = folder, recsys
        self.model = CLIPModel.from_pretrained(folder, dtype=torch.float32).eval().requires_grad_(False)
        self.visual = self.model.visual_projection.weight
        self.text = self.model.text_projection.weight
        table = self.model.text_model.embeddings.token_embedding.weight
        # The encoder leaves tokens without a row out of a text.
        self.known = (table != 0).any(1)
        self.context = self.model.config.text_config.max_position_embeddings
        file = folder / "preprocessor_config.json"
        own = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
        self._mean, self._std = (
            torch.tensor(own.get(name, usual)).view(3, 1, 1)
            for name, usual in (("image_mean", _MEAN), ("image_std", _STD))
        )

    def tokens(self, texts: list[str]) -> list[list[int]]:
        """CLIP's token ids without start and end, by `recsys tokenize`."""
        lines = "".join(json.dumps(text) + "\n" for text in texts)
        command = [self._recsys, "tokenize"]
        try:
            done = subprocess.run(command, input=lines, capture_output=True, text=True, check=False)
        except FileNotFoundError as error:
            raise SystemExit(f"{self._recsys}: no such command; build it and name it with --recsys") from error
        if done.returncode != 0:
            raise SystemExit(f"{self._recsys} tokenize: {done.stderr.strip()}")
        return [json.loads(line)[1:-1] for line in done.stdout.splitlines()]

    def crop(self, picture: Image.Image) -> np.ndarray:
        """u8 [size, size, 3]: the shorter side resized by Pillow's bicubic, the centre cropped."""
        size, (width, height) = self.model.config.vision_config.image_size, picture.size
        short = min(width, height)
        wide, high = size * width // short, size * height // short
        left, top = (wide - size) // 2, (high - size) // 2
        small = picture.resize((wide, high), Image.Resampling.BICUBIC)
        return np.asarray(small.crop((left, top, left + size, top + size)))

    @torch.inference_mode()
    def pictures(self, crops: np.ndarray) -> torch.Tensor:
        """u8 [N, size, size, 3] -> f32 [N, image width], before the projection."""
        pixels = torch.from_numpy(crops).permute(0, 3, 1, 2) / 255
        return self.model.vision_model(pixel_values=(pixels - self._mean) / self._std).pooler_output

    def usable(self, tokens: list[list[int]], rows: "Rows | None" = None) -> list[list[int]]:
        """As the encoder reads a text: tokens with a row in the table or in `rows`, cut to the context, with start
        and end."""
        known = (self.known if rows is None else self.known | (rows.slot > 0)).tolist()
        return [[START, *[t for t in text if known[t]][: self.context - 2], END] for text in tokens]

    def texts(self, ids: list[list[int]], rows: "Rows | None" = None) -> torch.Tensor:
        """What `usable` gives -> f32 [N, text width], before the projection."""
        padded = torch.full((len(ids), max(map(len, ids))), END)
        for at, text in enumerate(ids):
            padded[at, : len(text)] = torch.tensor(text)
        if rows is None:
            return self.model.text_model(input_ids=padded).pooler_output
        embedding = self.model.text_model.embeddings.token_embedding
        hook = embedding.register_forward_hook(lambda _, inputs, output: output + rows.added(inputs[0]))
        try:
            return self.model.text_model(input_ids=padded).pooler_output
        finally:
            hook.remove()

    @torch.inference_mode()
    def all_texts(self, ids: list[list[int]]) -> torch.Tensor:
        """As `texts`, in parts."""
        parts = [self.texts(ids[at : at + _TEXTS]) for at in range(0, len(ids), _TEXTS)]
        return torch.cat(parts) if parts else torch.zeros(0, self.text.shape[1])


class Rows(torch.nn.Module):
    """What is added to the rows of some tokens."""

    def __init__(self, clip: Clip, ids: list[int], generator: torch.Generator) -> None:
        super().__init__()
        table = clip.model.text_model.embeddings.token_embedding.weight
        self.ids = ids
        # 0 stands for all other tokens.
        self.slot = torch.zeros(len(table), dtype=torch.long)
        self.slot[ids] = torch.arange(1, len(ids) + 1)
        self.new = ~clip.known[ids]
        # A new row starts as long as the known ones are, in a random direction.
        typical = table[clip.known].square().mean().sqrt()
        start = torch.randn(len(ids), table.shape[1], generator=generator) * typical
        self.values = torch.nn.Parameter(start * self.new[:, None])

    def added(self, ids: torch.Tensor) -> torch.Tensor:
        """[...] token ids -> [..., text width]."""
        return F.pad(self.values, (0, 0, 1, 0))[self.slot[ids]]


class Media:
    """Tower outputs of media: [M, frames, image width], and [M, frames] the weight of each frame (0 where there
    are fewer)."""

    def __init__(self, features: torch.Tensor, weights: torch.Tensor) -> None:
        self.features, self.weights = features, weights

    def vectors(self, projection: torch.Tensor, rows: torch.Tensor | slice = slice(None)) -> torch.Tensor:
        """[N, dim] unit: the mean of each medium's unit vectors, made unit."""
        frames = F.normalize(self.features[rows] @ projection.T, dim=-1)
        return F.normalize((frames * self.weights[rows, :, None]).sum(1), dim=-1)


def read_media(clip: Clip, paths: list[pathlib.Path], count: int, threads: int, cache: pathlib.Path | None) -> Media:
    """At most `count` frames of each. `cache` is read where it is of these paths and this tower, else written."""
    digest = hashlib.sha256("\n".join([str(count), *map(str, paths)]).encode())
    for _, values in sorted(clip.model.vision_model.state_dict().items()):
        digest.update(values.numpy().tobytes())
    key = digest.hexdigest()
    if cache is not None and cache.is_file():
        kept = torch.load(cache, weights_only=True)
        if kept["key"] == key:
            return Media(kept["features"], kept["weights"])
    parts = list(_towers(clip, paths, count, threads))
    found = Media(torch.cat([features for features, _ in parts]), torch.cat([weights for _, weights in parts]))
    if cache is not None:
        torch.save({"key": key, "features": found.features, "weights": found.weights}, cache)
    return found


def _towers(
    clip: Clip, paths: list[pathlib.Path], count: int, threads: int
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    def crops(path: pathlib.Path) -> np.ndarray:
        return np.stack([clip.crop(picture) for picture in media.frames(path, count)])

    with ThreadPoolExecutor(threads) as pool:
        for at in range(0, len(paths), _CHUNK):
            read = list(pool.map(crops, paths[at : at + _CHUNK]))
            features = torch.zeros(len(read), count, clip.visual.shape[1])
            weights = torch.zeros(len(read), count)
            for row, one in enumerate(read):
                features[row, : len(one)] = clip.pictures(one)
                weights[row, : len(one)] = 1 / len(one)
            yield features, weights
            print(f"pictures: {min(at + _CHUNK, len(paths))} of {len(paths)}", file=sys.stderr, flush=True)
