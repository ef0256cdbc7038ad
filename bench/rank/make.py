"""Models and rows for `cargo xtask bench rank`: python make.py OUT

200 LightGBM trees of 31 leaves over 40 features, twice: all numerical, and with eight categorical features; as text, as
JSON for the JavaScript peer, and the numerical one as ONNX. Rows are f32, row-major, little-endian.
"""

import json
import sys
from pathlib import Path

import lightgbm
import numpy as np
from onnx import save

from onnx_model import onnx_of

TREES, LEAVES, FEATURES, CATEGORICAL, LEVELS = 200, 31, 40, 8, 24
TRAINING_ROWS, BENCH_ROWS = 40_000, 1_000


def table(rng, rows, categorical):
    x = rng.normal(size=(rows, FEATURES)).astype(np.float32)
    # Shares, counts and a viewer's constants look like this too.
    x[:, 10:20] = np.round(x[:, 10:20] * 4)
    x[rng.random(x.shape) < 0.05] = np.nan
    if categorical:
        x[:, :CATEGORICAL] = rng.integers(0, LEVELS, size=(rows, CATEGORICAL))
    return x


def target(rng, x, effects):
    filled = np.nan_to_num(x)
    level = effects[np.arange(CATEGORICAL), filled[:, :CATEGORICAL].astype(int) % LEVELS].sum(1)
    waves = np.sin(filled[:, 8:24] * 1.7).sum(1) + (filled[:, 24:32] * filled[:, 32:40]).sum(1)
    return (level + waves + rng.normal(size=len(x)) > 0).astype(int)


def train(seed, categorical):
    rng = np.random.default_rng(seed)
    effects = rng.normal(size=(CATEGORICAL, LEVELS))
    x = table(rng, TRAINING_ROWS, categorical)
    columns = list(range(CATEGORICAL)) if categorical else "auto"
    data = lightgbm.Dataset(x, target(rng, x, effects), categorical_feature=columns)
    parameters = {
        "objective": "binary",
        "num_leaves": LEAVES,
        "learning_rate": 0.05,
        "num_threads": 2,
        "deterministic": True,
        "seed": seed,
        "verbose": -1,
    }
    return lightgbm.train(parameters, data, TREES), table(rng, BENCH_ROWS, categorical)


def main(out):
    out.mkdir(parents=True, exist_ok=True)
    for name, categorical in (("numerical", False), ("categorical", True)):
        booster, rows = train(7, categorical)
        booster.save_model(out / f"{name}.txt")
        rows.astype("<f4").tofile(out / f"{name}.rows")
        (out / f"{name}.json").write_text(json.dumps(booster.dump_model()))
        if not categorical:
            save(onnx_of(booster, FEATURES), out / f"{name}.onnx")


main(Path(sys.argv[1]))
