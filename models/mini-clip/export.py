"""Writes the model as ONNX (`onnx/`), in Hugging Face's form (`--hugging-face`, for `recsys model import`), and goldens of both."""

import argparse
import datetime
import hashlib
import json
import pathlib

import numpy as np
import torch
from torch.nn import functional as F

import hugging_face
from data import Vocabulary, normalise, read_records
from encoder import video_vectors
from graph import image_graph, quantise, text_graph
from model import MEAN, STD, Config, MiniClip
from tokenizer import END, START
from tokens import pack_tokens

HELDOUT_FRAMES = 8
GOLDEN_VIDEOS = 20
GOLDEN_PICTURES = 4


class Reference:
    """The trained f32 model in PyTorch."""

    def __init__(self, checkpoint: pathlib.Path) -> None:
        self.saved = torch.load(checkpoint, weights_only=True)
        self.config = Config(**self.saved["config"])
        self.vocabulary = Vocabulary(self.saved["tokens"], self.config.context)
        self.model = MiniClip(self.config, len(self.saved["tokens"])).eval()
        self.model.load_state_dict(self.saved["model"])

    @torch.inference_mode()
    def encode_images(self, images: np.ndarray, batch: int = 100) -> np.ndarray:
        """u8 [N, S, S, 3] -> f32 [N, dim]."""
        parts = range(0, len(images), batch)
        vectors = [self.model.encode_image(normalise(images[at : at + batch])) for at in parts]
        return torch.cat(vectors).numpy()

    @torch.inference_mode()
    def encode_text(self, text: str) -> np.ndarray:
        """f32 [dim]."""
        return self.model.encode_text(*self.vocabulary.batch([text]))[0].numpy()


def _file(folder: pathlib.Path, name: str, data: bytes) -> dict:
    (folder / name).write_bytes(data)
    return {"file": name, "sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}


def export_onnx(reference: Reference, folder: pathlib.Path, pairs_seed: int) -> None:
    config, saved = reference.config, reference.saved
    weights = {name: value.numpy() for name, value in reference.model.state_dict().items()}
    rows, scales = quantise(weights["token_embedding.weight"], 0)
    image = image_graph(weights, config, int8=True).SerializeToString(deterministic=True)
    text = text_graph(weights, config, int8=True).SerializeToString(deterministic=True)
    folder.mkdir(exist_ok=True)
    tokens = pack_tokens(np.array(saved["tokens"]), scales, rows)
    manifest = {
        "name": "mini-clip",
        "version": 1,
        "licence": "MIT OR Apache-2.0",
        "dim": config.dim,
        "activation": "quick_gelu",
        "weights": "int8, one f32 scale for each output channel",
        "image": _file(folder, "image.onnx", image)
        | {
            "input": "pixels",
            "output": "vector",
            "size": config.image_size,
            "patch": config.patch,
            "width": config.image_width,
            "layers": config.image_layers,
            "heads": config.image_heads,
            "mean": MEAN,
            "std": STD,
            "resize": "bicubic",
            "crop": "centre",
        },
        "text": _file(folder, "text.onnx", text)
        | {
            "input": "embeddings",
            "output": "vector",
            "context": config.context,
            "width": config.text_width,
            "layers": config.text_layers,
            "heads": config.text_heads,
            "start": START,
            "end": END,
            "unknown_tokens": "drop",
            "tokens": _file(folder, "tokens.bin", tokens) | {"rows": len(rows)},
        },
        "training": {
            "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
            "seed": saved["seed"],
            "pairs_seed": pairs_seed,
            "pictures": saved["pictures"],
            "steps": saved["step"],
            "minutes": round(saved["seconds"] / 60, 1),
        },
    }
    (folder / "model.json").write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")


def export_hugging_face(reference: Reference, folder: pathlib.Path) -> None:
    weights = {name: value.numpy() for name, value in reference.model.state_dict().items()}
    tokens = np.array(reference.saved["tokens"])
    hugging_face.write(folder, weights, reference.config, tokens, MEAN, STD)


def export_goldens(reference: Reference, heldout: pathlib.Path, folder: pathlib.Path, heldout_seed: int) -> None:
    """Vectors of the f32 model, for tests of other implementations."""
    records, images = read_records(heldout), np.load(heldout / "images.npy")
    frames = reference.encode_images(images)
    first = np.arange(GOLDEN_PICTURES) * HELDOUT_FRAMES
    arrays = {
        "title_vectors": np.stack([reference.encode_text(record["title"]) for record in records]),
        "video_vectors": video_vectors(frames, HELDOUT_FRAMES),
        "frame_vectors": frames[: GOLDEN_VIDEOS * HELDOUT_FRAMES],
        "pictures": images[first],
        "picture_vectors": frames[first],
    }
    data, index = b"", {}
    for name, array in arrays.items():
        array = array.astype(array.dtype.newbyteorder("<"))
        index[name] = {"offset": len(data), "type": array.dtype.name, "shape": array.shape}
        data += array.tobytes()
    scene = ("thing", "colour", "place", "time", "motion", "seed")
    goldens = {
        "about": "f32 PyTorch vectors of mini-clip before quantisation; arrays lie in goldens.bin, little-endian",
        "heldout_seed": heldout_seed,
        "frames": HELDOUT_FRAMES,
        "arrays": {
            "title_vectors": index["title_vectors"] | {"what": "text vector of each title, not normalised"},
            "video_vectors": index["video_vectors"] | {"what": "mean of each video's unit frame vectors, made unit"},
            "frame_vectors": index["frame_vectors"] | {"what": "every frame of the first videos, not normalised"},
            "pictures": index["pictures"] | {"what": "frame 0 of the first videos, RGB, as the model sees it"},
            "picture_vectors": index["picture_vectors"] | {"what": "image vector of each picture, not normalised"},
        },
        "file": _file(folder, "goldens.bin", data),
        "videos": [
            {"title": record["title"], "ids": reference.vocabulary.token_ids(record["title"])}
            | {key: record[key] for key in scene}
            for record in records
        ],
    }
    text = json.dumps(goldens, indent=1)
    (folder / "goldens.json").write_text(text + "\n", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--checkpoint", type=pathlib.Path, required=True)
    parser.add_argument("--heldout", type=pathlib.Path, required=True, help="folder of the held-out split")
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path(__file__).parent)
    parser.add_argument("--hugging-face", type=pathlib.Path, required=True, help="folder for `recsys model import`")
    parser.add_argument("--pairs-seed", type=int, default=7)
    parser.add_argument("--heldout-seed", type=int, default=1)
    args = parser.parse_args()
    reference = Reference(args.checkpoint)
    export_onnx(reference, args.out / "onnx", args.pairs_seed)
    export_hugging_face(reference, args.hugging_face)
    export_goldens(reference, args.heldout, args.out, args.heldout_seed)


if __name__ == "__main__":
    main()
