"""Trains the ranking model with LightGBM's LambdaMART on what `recsys train` wrote into a folder.

Reads from the folder (all little-endian, rows in order of time):
  features.npy  f32, n x F, NaN is missing
  labels.npy    f32, n x 1, 0 or 1
  slates.npy    f32, s x 2: number of rows and weight of each slate
  task.json     feature names, those whose values are categories, the number of slates to fit on before validation,
                settings
Writes:
  model.txt     LightGBM's text format
  scores.npy    f32, 1 x m: raw scores of the first m rows, to check the import against
and prints JSON objects, one a line: {"round", "ndcg"} every ten rounds, and at the end a report with the number of
rounds, the validation NDCG, each feature's share of the gain, the parameters and the versions of the libraries.

The newest slates validate: training stops where their NDCG@10 no longer rises, and the final model is fitted on all
slates with that number of rounds. One thread and fixed seeds make the result repeatable.
"""

import json
import platform
import sys
from pathlib import Path

import lightgbm as lgb
import numpy as np

CHECKED_ROWS = 2000


def parameters(task):
    return {
        "objective": "lambdarank",
        "metric": "ndcg",
        "eval_at": [10],
        "lambdarank_truncation_level": 20,
        "learning_rate": task["learning_rate"],
        "num_leaves": task["leaves"],
        "min_data_in_leaf": task["min_data_in_leaf"],
        "feature_fraction": 0.7,
        "bagging_fraction": 0.8,
        "bagging_freq": 1,
        "bagging_by_query": True,
        "lambda_l2": 1.0,
        "seed": task["seed"],
        "deterministic": True,
        "force_row_wise": True,
        "num_threads": 1,
        "verbosity": -1,
    }


def dataset(features, labels, slates, task, reference=None):
    sizes = slates[:, 0].astype(np.int64)
    return lgb.Dataset(
        features,
        label=labels,
        group=sizes,
        weight=np.repeat(slates[:, 1], sizes),
        feature_name=task["features"],
        categorical_feature=task["categorical"],
        reference=reference,
        free_raw_data=False,
    )


def progress(every=10):
    def tell(env):
        if (env.iteration + 1) % every == 0:
            ndcg = next((value for _, _, value, *_ in env.evaluation_result_list), float("nan"))
            print(json.dumps({"round": env.iteration + 1, "ndcg": ndcg}), flush=True)

    return tell


def train(folder):
    task = json.loads((folder / "task.json").read_text())
    features = np.load(folder / "features.npy")
    labels = np.load(folder / "labels.npy").ravel()
    slates = np.load(folder / "slates.npy")
    fit = task["fit_slates"]
    cut = int(slates[:fit, 0].sum())
    names, params = task["features"], parameters(task)

    first = dataset(features[:cut], labels[:cut], slates[:fit], task)
    newest = dataset(features[cut:], labels[cut:], slates[fit:], task, reference=first)
    curve = {}
    stopped = lgb.train(
        params,
        first,
        num_boost_round=task["rounds"],
        valid_sets=[newest],
        valid_names=["validation"],
        callbacks=[
            lgb.early_stopping(task["patience"], verbose=False),
            lgb.record_evaluation(curve),
            progress(),
        ],
    )
    rounds = max(1, stopped.best_iteration)
    model = lgb.train(params, dataset(features, labels, slates, task), num_boost_round=rounds)

    model.save_model(folder / "model.txt")
    checked = features[:CHECKED_ROWS]
    scores = model.predict(checked, raw_score=True, num_threads=1)
    np.save(folder / "scores.npy", np.asarray(scores, dtype="<f4").reshape(1, -1))
    gains = model.feature_importance("gain")
    share = gains / max(float(gains.sum()), 1e-12)
    return {
        "rounds": rounds,
        "validation_ndcg": float(curve["validation"]["ndcg@10"][rounds - 1]),
        "parameters": params,
        "libraries": {"python": platform.python_version(), "lightgbm": lgb.__version__, "numpy": np.__version__},
        "gain": {name: round(float(value), 6) for name, value in zip(names, share)},
    }


if __name__ == "__main__":
    print(json.dumps(train(Path(sys.argv[1]))))
