"""LightGBM to ONNX, numerical splits only."""

import numpy as np
from onnx import TensorProto, checker, helper


def onnx_of(booster, features):
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
    rows = helper.make_tensor_value_info("rows", TensorProto.FLOAT, [None, features])
    scores = helper.make_tensor_value_info("scores", TensorProto.FLOAT, [None, 1])
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 3)]
    model = helper.make_model(helper.make_graph([node], "trees", [rows], [scores]), opset_imports=opsets, ir_version=9)
    checker.check_model(model)
    return model
