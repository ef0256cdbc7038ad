"""The committed mini-clip (`onnx/`, int8 weights) as a model directory of Hugging Face's form: from_onnx.py OUT

`train.sh` writes the same form from the f32 checkpoint; this needs no training.
"""

import json
import pathlib
import sys

import numpy as np
import onnx
from onnx import numpy_helper

import hugging_face
from model import Config
from tokens import unpack_tokens

ONNX = pathlib.Path(__file__).parent / "onnx"
# Stored as [in, out] under their own names in OpenAI's state dict too.
_AS_STORED = ("visual.proj", "text_projection")


def _weights(path: pathlib.Path) -> dict[str, np.ndarray]:
    """f32 tensors by OpenAI's names: each int8 initialiser times its scale, linear layers back as [out, in]."""
    stored = {tensor.name: numpy_helper.to_array(tensor) for tensor in onnx.load(path).graph.initializer}
    weights = {}
    for name, values in stored.items():
        scale = stored.get(f"{name}.scale")
        if scale is None:
            if values.dtype == np.float32 and not name.endswith(".scale"):
                weights[name] = values
        elif values.ndim == 4:
            weights[name] = values * scale.reshape(-1, 1, 1, 1)
        else:
            matrix = values * scale
            weights[name] = matrix if name in _AS_STORED else matrix.T
    return weights


def main() -> None:
    if len(sys.argv) != 2:
        raise SystemExit("usage: from_onnx.py OUT")
    manifest = json.loads((ONNX / "model.json").read_text(encoding="utf-8"))
    weights = _weights(ONNX / "image.onnx") | _weights(ONNX / "text.onnx")
    weights["visual.class_embedding"] = weights["visual.class_embedding"].reshape(-1)
    tokens, rows = unpack_tokens((ONNX / "tokens.bin").read_bytes())
    weights["token_embedding.weight"] = rows
    mean, std = manifest["image"]["mean"], manifest["image"]["std"]
    hugging_face.write(pathlib.Path(sys.argv[1]), weights, Config(), tokens, mean, std)


if __name__ == "__main__":
    main()
