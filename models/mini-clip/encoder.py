"""Runs the exported model the way a consumer does, from its manifest, with onnxruntime."""

import json
import pathlib

import numpy as np
import onnxruntime

from tokenizer import Tokenizer
from tokens import unpack_tokens


def unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def video_vectors(frame_vectors: np.ndarray, frames: int) -> np.ndarray:
    """[videos * frames, dim] -> [videos, dim]: the mean of each video's unit vectors, made unit."""
    return unit(unit(frame_vectors).reshape(-1, frames, frame_vectors.shape[1]).mean(1))


def _session(path: pathlib.Path) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    # Higher levels quantise activations too, which the graph does not ask for.
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.intra_op_num_threads = 2
    return onnxruntime.InferenceSession(str(path), options)


class Encoder:
    """Pictures and texts to vectors, int8 weights."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.manifest = json.loads((folder / "model.json").read_text(encoding="utf-8"))
        image, text = self.manifest["image"], self.manifest["text"]
        self._image = _session(folder / image["file"])
        self._text = _session(folder / text["file"])
        ids, self._embeddings = unpack_tokens((folder / text["tokens"]["file"]).read_bytes())
        self._rows = {int(token): row for row, token in enumerate(ids)}
        self._tokenizer = Tokenizer()

    def encode_images(self, images: np.ndarray, batch: int = 100) -> np.ndarray:
        """u8 [N, S, S, 3] -> f32 [N, dim]."""
        image = self.manifest["image"]
        mean, std = np.float32(image["mean"]), np.float32(image["std"])
        vectors = []
        for at in range(0, len(images), batch):
            pixels = (images[at : at + batch].astype(np.float32) / 255 - mean) / std
            pixels = np.ascontiguousarray(pixels.transpose(0, 3, 1, 2))
            vectors.append(self._image.run(["vector"], {"pixels": pixels})[0])
        return np.concatenate(vectors)

    def encode_text(self, text: str) -> np.ndarray:
        """f32 [dim]."""
        limits = self.manifest["text"]
        known = [token for token in self._tokenizer.encode(text) if token in self._rows]
        ids = [limits["start"], *known[: limits["context"] - 2], limits["end"]]
        embeddings = self._embeddings[[self._rows[token] for token in ids]][None]
        return self._text.run(["vector"], {"embeddings": embeddings.astype(np.float32)})[0][0]
