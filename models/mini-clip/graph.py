"""Builds the two ONNX graphs by hand, so that every node and initialiser has a plain name.

Matrices become int8 with one f32 scale for each output channel, behind DequantizeLinear;
biases, layer norms and positions stay f32. A linear layer stores its weight as [in, out].
"""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

OPSET = 17
# The first IR version that names opset 17.
IR_VERSION = 8


def quantise(matrix: np.ndarray, axis: int) -> tuple[np.ndarray, np.ndarray]:
    """Symmetric int8 in [-127, 127], one scale for each index of `axis`."""
    other = tuple(a for a in range(matrix.ndim) if a != axis)
    scale = np.maximum(np.abs(matrix).max(axis=other), 1e-12).astype(np.float32) / np.float32(127)
    shape = [-1 if a == axis else 1 for a in range(matrix.ndim)]
    return np.clip(np.rint(matrix / scale.reshape(shape)), -127, 127).astype(np.int8), scale


class Graph:
    """Nodes and initialisers of one model, in order."""

    def __init__(self, weights: dict[str, np.ndarray], int8: bool) -> None:
        self.weights = weights
        self.int8 = int8
        self.nodes: list[onnx.NodeProto] = []
        self.initialisers: list[onnx.TensorProto] = []

    def node(self, op: str, inputs: list[str], output: str, **attributes) -> str:
        self.nodes.append(helper.make_node(op, inputs, [output], name=output, **attributes))
        return output

    def constant(self, name: str, value: np.ndarray) -> str:
        """Adds an initialiser once."""
        if all(known.name != name for known in self.initialisers):
            self.initialisers.append(numpy_helper.from_array(np.array(value, order="C"), name))
        return name

    def shape(self, *values: int) -> str:
        return self.constant("shape." + "_".join(map(str, values)), np.array(values, np.int64))

    def vector(self, name: str) -> str:
        return self.constant(name, self.weights[name].astype(np.float32))

    def matrix(self, name: str, value: np.ndarray, axis: int) -> str:
        """A weight whose output channels run along `axis`."""
        if not self.int8:
            return self.constant(name, value.astype(np.float32))
        quantised, scale = quantise(value, axis)
        self.constant(name, quantised)
        self.constant(name + ".scale", scale)
        return self.node("DequantizeLinear", [name, name + ".scale"], name + ".f32", axis=axis)

    def linear(self, x: str, weight: str, bias: str | None, output: str) -> str:
        """x @ W.T + b for a PyTorch weight [out, in]."""
        matrix = self.matrix(weight, self.weights[weight].T, 1)
        if bias is None:
            return self.node("MatMul", [x, matrix], output)
        product = self.node("MatMul", [x, matrix], output + ".product")
        return self.node("Add", [product, self.vector(bias)], output)

    def layer_norm(self, x: str, name: str, output: str) -> str:
        inputs = [x, self.vector(name + ".weight"), self.vector(name + ".bias")]
        return self.node("LayerNormalization", inputs, output, axis=-1, epsilon=1e-5)

    def block(self, x: str, name: str, width: int, heads: int, mask: str | None) -> str:
        """One pre-norm transformer block; x: [N, L, width]; mask: [L, L]."""
        depth = width // heads
        at = lambda part: f"{name}.{part}"  # noqa: E731
        h = self.layer_norm(x, at("ln_1"), at("ln_1.out"))
        qkv = self.linear(h, at("attn.in_proj_weight"), at("attn.in_proj_bias"), at("attn.qkv"))
        parts = [at("attn.q"), at("attn.k"), at("attn.v")]
        thirds = self.shape(width, width, width)
        self.nodes.append(helper.make_node("Split", [qkv, thirds], parts, name=at("attn.split"), axis=-1))
        split = self.shape(0, 0, heads, depth)
        q, k, v = (self.node("Reshape", [part, split], part + ".heads") for part in parts)
        q = self.node("Transpose", [q], at("attn.q.t"), perm=[0, 2, 1, 3])
        k = self.node("Transpose", [k], at("attn.k.t"), perm=[0, 2, 3, 1])
        v = self.node("Transpose", [v], at("attn.v.t"), perm=[0, 2, 1, 3])
        scale = self.constant(f"attn.scale.{depth}", np.array(depth**-0.5, np.float32))
        q = self.node("Mul", [q, scale], at("attn.q.scaled"))
        scores = self.node("MatMul", [q, k], at("attn.scores"))
        if mask is not None:
            scores = self.node("Add", [scores, mask], at("attn.scores.masked"))
        weights = self.node("Softmax", [scores], at("attn.weights"), axis=-1)
        mixed = self.node("MatMul", [weights, v], at("attn.mixed"))
        mixed = self.node("Transpose", [mixed], at("attn.mixed.t"), perm=[0, 2, 1, 3])
        mixed = self.node("Reshape", [mixed, self.shape(0, 0, width)], at("attn.joined"))
        out = self.linear(mixed, at("attn.out_proj.weight"), at("attn.out_proj.bias"), at("attn.out"))
        x = self.node("Add", [x, out], at("attn.residual"))
        h = self.layer_norm(x, at("ln_2"), at("ln_2.out"))
        h = self.linear(h, at("mlp.c_fc.weight"), at("mlp.c_fc.bias"), at("mlp.fc"))
        slope = self.constant("quick_gelu.slope", np.array(1.702, np.float32))
        gate = self.node("Mul", [h, slope], at("mlp.gate.in"))
        gate = self.node("Sigmoid", [gate], at("mlp.gate"))
        h = self.node("Mul", [h, gate], at("mlp.gelu"))
        h = self.linear(h, at("mlp.c_proj.weight"), at("mlp.c_proj.bias"), at("mlp.out"))
        return self.node("Add", [x, h], at("out"))

    def model(self, name: str, inputs: dict[str, list], outputs: dict[str, list]) -> onnx.ModelProto:
        """A checked model whose inputs and outputs are all f32."""
        value = lambda item: helper.make_tensor_value_info(item[0], TensorProto.FLOAT, item[1])  # noqa: E731
        graph = helper.make_graph(
            self.nodes,
            name,
            [value(item) for item in inputs.items()],
            [value(item) for item in outputs.items()],
            self.initialisers,
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], producer_name="mini-clip")
        model.ir_version = IR_VERSION
        onnx.checker.check_model(model, full_check=True)
        return model


def image_graph(weights: dict[str, np.ndarray], config, int8: bool) -> onnx.ModelProto:
    """pixels [N, 3, S, S], normalised -> vector [N, dim], not normalised."""
    g = Graph(weights, int8)
    width, patch = config.image_width, config.patch
    kernel = g.matrix("visual.conv1.weight", weights["visual.conv1.weight"], 0)
    x = g.node("Conv", ["pixels", kernel], "patches", kernel_shape=[patch, patch], strides=[patch, patch])
    x = g.node("Reshape", [x, g.shape(0, width, config.patches)], "patches.flat")
    x = g.node("Transpose", [x], "patches.rows", perm=[0, 2, 1])
    batch = g.node("Shape", ["pixels"], "batch", start=0, end=1)
    shape = g.node("Concat", [batch, g.shape(1, width)], "class.shape", axis=0)
    first = g.constant("visual.class_embedding", weights["visual.class_embedding"].reshape(1, 1, width))
    first = g.node("Expand", [first, shape], "class.rows")
    x = g.node("Concat", [first, x], "tokens", axis=1)
    x = g.node("Add", [x, g.vector("visual.positional_embedding")], "tokens.placed")
    x = g.layer_norm(x, "visual.ln_pre", "visual.ln_pre.out")
    for layer in range(config.image_layers):
        x = g.block(x, f"visual.transformer.resblocks.{layer}", width, config.image_heads, None)
    x = g.node("Gather", [x, g.constant("position.first", np.array(0, np.int64))], "class", axis=1)
    x = g.layer_norm(x, "visual.ln_post", "visual.ln_post.out")
    proj = g.matrix("visual.proj", weights["visual.proj"], 1)
    g.node("MatMul", [x, proj], "vector")
    size = config.image_size
    return g.model("image", {"pixels": ["N", 3, size, size]}, {"vector": ["N", config.dim]})


def text_graph(weights: dict[str, np.ndarray], config, int8: bool) -> onnx.ModelProto:
    """embeddings [1, L, width] of start .. end, 2 <= L <= context -> vector [1, dim], not normalised."""
    g = Graph(weights, int8)
    width = config.text_width
    length = g.node("Shape", ["embeddings"], "length", start=1, end=2)
    zero = g.shape(0)
    positions = g.node("Slice", [g.vector("positional_embedding"), zero, length, zero], "positions")
    causal = np.triu(np.full((config.context, config.context), -1e9, np.float32), 1)
    bounds = g.node("Concat", [length, length], "mask.ends", axis=0)
    starts, axes = g.shape(0, 0), g.shape(0, 1)
    mask = g.node("Slice", [g.constant("causal_mask", causal), starts, bounds, axes], "mask")
    x = g.node("Add", ["embeddings", positions], "tokens")
    for layer in range(config.text_layers):
        x = g.block(x, f"transformer.resblocks.{layer}", width, config.text_heads, mask)
    x = g.node("Gather", [x, g.constant("position.last", np.array(-1, np.int64))], "end", axis=1)
    x = g.layer_norm(x, "ln_final", "ln_final.out")
    projection = g.matrix("text_projection", weights["text_projection"], 1)
    g.node("MatMul", [x, projection], "vector")
    return g.model("text", {"embeddings": [1, "L", width]}, {"vector": [1, config.dim]})
