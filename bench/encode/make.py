"""Models of random weights for `cargo xtask bench encode`: python make.py FOLDER

For each shape a folder with the model in Hugging Face's form, both towers as ONNX in f32 and with int8 weights and activations
quantised as they come (onnxruntime's dynamic quantisation of matrix products), and what is encoded: rows of 16 tokens, one picture, and JPEGs.
"""

import pathlib
import sys
from types import SimpleNamespace as Shape

import numpy as np
import onnx
from onnxruntime.quantization import QuantType, quantize_dynamic
from PIL import Image

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "models/mini-clip"))

import graph  # noqa: E402
import hugging_face  # noqa: E402

TOKENS = 16
PICTURES = 16
SHAPES = {
    "tinyclip-8m": Shape(
        dim=512, image_size=224, patch=16, patches=196, image_width=256, image_layers=10, image_heads=4,
        text_width=256, text_layers=3, text_heads=4, context=77,
    ),
    "vit-b32": Shape(
        dim=512, image_size=224, patch=32, patches=49, image_width=768, image_layers=12, image_heads=12,
        text_width=512, text_layers=12, text_heads=8, context=77,
    ),
}  # fmt: skip


def weights(shape: Shape, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """By OpenAI's names."""
    out = {}

    def normal(name: str, *size: int, spread: float) -> None:
        out[name] = (rng.standard_normal(size) * spread).astype(np.float32)

    def norm(name: str, width: int) -> None:
        normal(name + ".weight", width, spread=0.02)
        out[name + ".weight"] += 1
        normal(name + ".bias", width, spread=0.02)

    def linear(weight: str, bias: str, outputs: int, inputs: int) -> None:
        normal(weight, outputs, inputs, spread=inputs**-0.5)
        normal(bias, outputs, spread=0.02)

    def layers(name: str, count: int, width: int) -> None:
        for layer in range(count):
            at = f"{name}.resblocks.{layer}."
            norm(at + "ln_1", width)
            linear(at + "attn.in_proj_weight", at + "attn.in_proj_bias", 3 * width, width)
            linear(at + "attn.out_proj.weight", at + "attn.out_proj.bias", width, width)
            norm(at + "ln_2", width)
            linear(at + "mlp.c_fc.weight", at + "mlp.c_fc.bias", 4 * width, width)
            linear(at + "mlp.c_proj.weight", at + "mlp.c_proj.bias", width, 4 * width)

    width = shape.image_width
    normal("visual.conv1.weight", width, 3, shape.patch, shape.patch, spread=(3 * shape.patch**2) ** -0.5)
    normal("visual.class_embedding", width, spread=0.3)
    normal("visual.positional_embedding", shape.patches + 1, width, spread=0.3)
    norm("visual.ln_pre", width)
    layers("visual.transformer", shape.image_layers, width)
    norm("visual.ln_post", width)
    normal("visual.proj", width, shape.dim, spread=width**-0.5)
    width = shape.text_width
    normal("token_embedding.weight", hugging_face.VOCABULARY, width, spread=0.3)
    normal("positional_embedding", shape.context, width, spread=0.1)
    layers("transformer", shape.text_layers, width)
    norm("ln_final", width)
    normal("text_projection", width, shape.dim, spread=width**-0.5)
    return out


def pictures(folder: pathlib.Path, rng: np.random.Generator) -> None:
    """JPEGs of 640 × 360: soft noise with edges, about as large as photographs are."""
    folder.mkdir(exist_ok=True)
    for number in range(PICTURES):
        coarse = Image.fromarray(rng.integers(0, 256, (12, 20, 3), np.uint8)).resize((640, 360), Image.Resampling.BICUBIC)
        fine = rng.normal(0, 6, (360, 640, 1))
        edges = 40 * (np.indices((360, 640)).sum(0) // 45 % 2)[..., None]
        pixels = np.clip(np.asarray(coarse, np.float32) * 0.8 + fine + edges, 0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(folder / f"{number:02}.jpg", quality=85)


def main() -> None:
    for name, shape in SHAPES.items():
        folder = pathlib.Path(sys.argv[1]) / name
        rng = np.random.default_rng(1)
        made = weights(shape, rng)
        everything = np.arange(hugging_face.VOCABULARY)
        hugging_face.write(folder, made, shape, everything, [0.5, 0.5, 0.5], [0.5, 0.5, 0.5])
        for tower, model in (("image", graph.image_graph), ("text", graph.text_graph)):
            file = folder / f"{tower}.onnx"
            onnx.save(model(made, shape, int8=False), file)
            # With ConvInteger, which is slower than the f32 convolution, the peer would look worse than it is.
            quantize_dynamic(
                file, folder / f"{tower}.int8.onnx", weight_type=QuantType.QInt8, op_types_to_quantize=["MatMul"]
            )
        (folder / "tokens.f32").write_bytes(made["token_embedding.weight"][1000 : 1000 + TOKENS].tobytes())
        pixels = rng.uniform(-1, 1, (3, shape.image_size, shape.image_size)).astype(np.float32)
        (folder / "pixels.f32").write_bytes(pixels.tobytes())
        pictures(folder / "jpeg", rng)


if __name__ == "__main__":
    main()
