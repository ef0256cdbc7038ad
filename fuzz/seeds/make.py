"""Trains the smallest models of each kind: seeds that a mutation changes at a place that matters.

    python make.py            needs: numpy, lightgbm 4, xgboost 3 (tested: 2.4.6, 4.7.0, 3.2.0)
"""

import pathlib

import lightgbm as lgb
import numpy as np
import xgboost as xgb

HERE = pathlib.Path(__file__).parent
rng = np.random.default_rng(1)
x = np.column_stack([rng.random(60), rng.integers(0, 40, 60)]).astype(np.float32)
x[rng.random(60) < 0.2, 0] = np.nan
y = np.nan_to_num(x[:, 0]) + (x[:, 1] % 3)

for name, label, rounds, params in [
    ("binary", y > 1, 2, {"objective": "binary"}),
    ("categorical", y, 1, {"objective": "regression", "categorical_feature": [1]}),
    ("classes", y // 1, 1, {"objective": "multiclass", "num_class": 3}),
    ("forest", y > 1, 2, {"objective": "binary", "boosting": "rf", "bagging_freq": 1, "bagging_fraction": 0.6}),
    ("zero", y, 1, {"objective": "regression", "zero_as_missing": True}),
]:
    params = {"verbosity": -1, "num_leaves": 4, "min_data_in_leaf": 5, "min_data_per_group": 2, "cat_smooth": 1, "num_threads": 1} | params
    text = lgb.train(params, lgb.Dataset(x, label), rounds).model_to_string()
    skip = ("tree_sizes=", "split_gain=", "leaf_weight=", "internal_", "feature_infos")
    lines = [line for line in text.split("\nfeature_importances")[0].split("\n") if not line.startswith(skip)]
    (HERE / "lightgbm" / f"{name}.txt").write_text("\n".join(lines) + "\n")

for name, label, params in [
    ("logistic", y > 1, {"objective": "binary:logistic"}),
    ("categorical", y, {"objective": "reg:squarederror", "max_cat_to_onehot": 2}),
    ("dart", y, {"objective": "reg:squarederror", "booster": "dart"}),
    ("classes", y // 1, {"objective": "multi:softprob", "num_class": 3}),
]:
    kinds = {"feature_types": ["q", "c"], "enable_categorical": True} if name == "categorical" else {}
    booster = xgb.train({"max_depth": 2, "nthread": 1} | params, xgb.DMatrix(x, label, **kinds), 1)
    booster.save_model(HERE / "xgboost_json" / f"{name}.json")
    booster.save_model(HERE / "xgboost_ubj" / f"{name}.ubj")
