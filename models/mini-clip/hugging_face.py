"""mini-clip as a model directory of Hugging Face's form, which `recsys model import` reads.

Rows of tokens that the model does not know are zero.
"""

import json
import pathlib

import numpy as np
from safetensors.numpy import save_file

VOCABULARY = 49408


def _layers(weights: dict[str, np.ndarray], old: str, new: str, layers: int) -> dict[str, np.ndarray]:
    """The transformer's tensors by their names in Hugging Face's CLIPModel."""
    names = {
        "ln_1": "layer_norm1",
        "ln_2": "layer_norm2",
        "attn.out_proj": "self_attn.out_proj",
        "mlp.c_fc": "mlp.fc1",
        "mlp.c_proj": "mlp.fc2",
    }
    out = {}
    for layer in range(layers):
        here, there = f"{old}.resblocks.{layer}", f"{new}.encoder.layers.{layer}"
        for part in ("weight", "bias"):
            for name, other in names.items():
                out[f"{there}.{other}.{part}"] = weights[f"{here}.{name}.{part}"]
            thirds = np.split(weights[f"{here}.attn.in_proj_{part}"], 3)
            for name, third in zip("qkv", thirds, strict=True):
                out[f"{there}.self_attn.{name}_proj.{part}"] = third
    return out


def _norm(weights: dict[str, np.ndarray], old: str, new: str) -> dict[str, np.ndarray]:
    return {f"{new}.{part}": weights[f"{old}.{part}"] for part in ("weight", "bias")}


def tensors(weights: dict[str, np.ndarray], config, tokens: np.ndarray) -> dict[str, np.ndarray]:
    """`weights` by OpenAI's names, with `token_embedding.weight` for the ids in `tokens` alone."""
    rows = np.zeros((VOCABULARY, config.text_width), np.float32)
    rows[tokens] = weights["token_embedding.weight"]
    text, vision = "text_model", "vision_model"
    out = {
        f"{text}.embeddings.token_embedding.weight": rows,
        f"{text}.embeddings.position_embedding.weight": weights["positional_embedding"],
        f"{vision}.embeddings.class_embedding": weights["visual.class_embedding"],
        f"{vision}.embeddings.patch_embedding.weight": weights["visual.conv1.weight"],
        f"{vision}.embeddings.position_embedding.weight": weights["visual.positional_embedding"],
        "text_projection.weight": weights["text_projection"].T,
        "visual_projection.weight": weights["visual.proj"].T,
    }
    out |= _norm(weights, "ln_final", f"{text}.final_layer_norm")
    out |= _norm(weights, "visual.ln_pre", f"{vision}.pre_layrnorm")
    out |= _norm(weights, "visual.ln_post", f"{vision}.post_layernorm")
    out |= _layers(weights, "transformer", text, config.text_layers)
    out |= _layers(weights, "visual.transformer", vision, config.image_layers)
    return {name: np.ascontiguousarray(value, np.float32) for name, value in out.items()}


def write(folder: pathlib.Path, weights: dict[str, np.ndarray], config, tokens: np.ndarray, mean, std) -> None:
    """config.json, preprocessor_config.json and model.safetensors."""
    folder.mkdir(parents=True, exist_ok=True)
    transformer = {"hidden_act": "quick_gelu", "layer_norm_eps": 1e-5}
    model = {
        "model_type": "clip",
        "projection_dim": config.dim,
        "text_config": transformer
        | {
            "hidden_size": config.text_width,
            "intermediate_size": 4 * config.text_width,
            "num_attention_heads": config.text_heads,
            "num_hidden_layers": config.text_layers,
            "max_position_embeddings": config.context,
            "vocab_size": VOCABULARY,
        },
        "vision_config": transformer
        | {
            "hidden_size": config.image_width,
            "intermediate_size": 4 * config.image_width,
            "num_attention_heads": config.image_heads,
            "num_hidden_layers": config.image_layers,
            "image_size": config.image_size,
            "patch_size": config.patch,
        },
    }
    size = config.image_size
    preprocessor = {
        "resample": 3,
        "size": {"shortest_edge": size},
        "crop_size": {"height": size, "width": size},
        "image_mean": list(mean),
        "image_std": list(std),
    }
    for name, value in (("config.json", model), ("preprocessor_config.json", preprocessor)):
        (folder / name).write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")
    save_file(tensors(weights, config, tokens), folder / "model.safetensors")
