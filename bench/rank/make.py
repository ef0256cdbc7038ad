"""Models and rows for `cargo xtask bench rank`: python make.py OUT

200 LightGBM trees of 31 leaves over 40 features, twice: all numerical, and with eight categorical features; as text, as
JSON for the JavaScript peer, and the numerical one as ONNX. Rows are f32, row-major, little-endian.
"""

import json
import sys
from pathlib import Path

import lightgbm
import numpy as np
from onnx import TensorProto, checker, helper, save

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


def onnx_of(booster):
    """A TreeEnsembleRegressor whose outputs are the raw scores."""
    nodes = {name: [] for name in ("treeids", "nodeids", "featureids", "values", "modes", "truenodeids", "falsenodeids")}
    nodes["missing_value_tracks_true"] = []
    leaves = {"treeids": [], "nodeids": [], "ids": [], "weights": []}

    def add(tree, node):
        here = nodes["treeids"].count(tree)
        for name, value in (("treeids", tree), ("nodeids", here)):
            nodes[name].append(value)
        at = len(nodes["modes"])
        leaf = "leaf_value" in node
        nodes["featureids"].append(0 if leaf else node["split_feature"])
        # LightGBM compares in f64: the largest f32 that is not above the threshold decides alike.
        threshold = 0.0 if leaf else float(np.float32(node["threshold"]))
        if not leaf and threshold > node["threshold"]:
            threshold = float(np.nextafter(np.float32(threshold), np.float32(-np.inf)))
        nodes["values"].append(threshold)
        nodes["modes"].append("LEAF" if leaf else "BRANCH_LEQ")
        # Without missing values in training LightGBM takes NaN for 0.
        tracks = 0
        if not leaf:
            tracks = int(node["default_left"]) if node["missing_type"] == "NaN" else int(0.0 <= threshold)
        nodes["missing_value_tracks_true"].append(tracks)
        for name in ("truenodeids", "falsenodeids"):
            nodes[name].append(0)
        if leaf:
            for name, value in (("treeids", tree), ("nodeids", here), ("ids", 0), ("weights", node["leaf_value"])):
                leaves[name].append(value)
        else:
            nodes["truenodeids"][at] = add(tree, node["left_child"])
            nodes["falsenodeids"][at] = add(tree, node["right_child"])
        return here

    for tree in booster.dump_model()["tree_info"]:
        add(tree["tree_index"], tree["tree_structure"])
    attributes = {f"nodes_{name}": values for name, values in nodes.items()}
    attributes |= {f"target_{name}": values for name, values in leaves.items()}
    node = helper.make_node(
        "TreeEnsembleRegressor",
        ["rows"],
        ["scores"],
        domain="ai.onnx.ml",
        n_targets=1,
        aggregate_function="SUM",
        **attributes,
    )
    rows = helper.make_tensor_value_info("rows", TensorProto.FLOAT, [None, FEATURES])
    scores = helper.make_tensor_value_info("scores", TensorProto.FLOAT, [None, 1])
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 3)]
    model = helper.make_model(helper.make_graph([node], "trees", [rows], [scores]), opset_imports=opsets, ir_version=9)
    checker.check_model(model)
    return model


def main(out):
    out.mkdir(parents=True, exist_ok=True)
    for name, categorical in (("numerical", False), ("categorical", True)):
        booster, rows = train(7, categorical)
        booster.save_model(out / f"{name}.txt")
        rows.astype("<f4").tofile(out / f"{name}.rows")
        (out / f"{name}.json").write_text(json.dumps(booster.dump_model()))
        if not categorical:
            save(onnx_of(booster), out / f"{name}.onnx")


main(Path(sys.argv[1]))
