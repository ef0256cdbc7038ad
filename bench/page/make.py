"""The ranker of `cargo xtask bench page`: python make.py OUT, after `node rows.mjs OUT`

200 LightGBM trees of 31 leaves over our own features, as text and as ONNX.
"""

import sys
from pathlib import Path

import lightgbm
import numpy as np
from onnx import save

sys.path.insert(0, str(Path(__file__).parent.parent / "rank"))
from onnx_model import onnx_of  # noqa: E402

out = Path(sys.argv[1])
names = (out / "page.features").read_text().split("\n")
rows = np.fromfile(out / "page.train", "<f4").reshape(-1, len(names))
column = {name: rows[:, at] for at, name in enumerate(names)}
rng = np.random.default_rng(3)
taste = (
    4 * column["sim_recent"]
    + 3 * column["category_affinity"]
    + 8 * column["cowatch_all"]
    + 0.3 * column["popularity_log"]
    - 0.2 * np.abs(column["duration_ratio_log2"])
    + np.nan_to_num(column["tag_affinity"])
)
noisy = taste + rng.normal(size=len(rows)) * np.nanstd(taste)
parameters = {"objective": "binary", "num_leaves": 31, "learning_rate": 0.05, "num_threads": 2, "seed": 3, "verbose": -1}
data = lightgbm.Dataset(rows, (noisy > np.median(noisy)).astype(int), feature_name=names)
booster = lightgbm.train(parameters, data, 200)
booster.save_model(out / "page.txt")
save(onnx_of(booster, len(names)), out / "page.onnx")
