"""LightGBM's side of `cargo xtask bench rank`: python lightgbm_peer.py MODEL ROWS

Answers the lines of crates/core/examples/score.rs. It calls the C API that `Booster.predict` ends in, with the output
allocated once: there is no quicker way to score many rows.
"""

import ctypes
import json
import statistics
import sys
from time import perf_counter

import lightgbm
import numpy as np
from lightgbm.basic import _LIB, _safe_call

RAW_SCORE, FLOAT32 = 1, 0

model, rows = sys.argv[1:]
booster = lightgbm.Booster(model_file=model)
rows = np.fromfile(rows, "<f4").reshape(-1, booster.num_feature())


def score(n, out):
    written = ctypes.c_int64()
    _safe_call(
        _LIB.LGBM_BoosterPredictForMat(
            booster._handle,
            rows.ctypes.data_as(ctypes.c_void_p),
            ctypes.c_int(FLOAT32),
            ctypes.c_int32(n),
            ctypes.c_int32(rows.shape[1]),
            ctypes.c_int(1),
            ctypes.c_int(RAW_SCORE),
            ctypes.c_int(0),
            ctypes.c_int(-1),
            b"num_threads=1",
            ctypes.byref(written),
            out.ctypes.data_as(ctypes.POINTER(ctypes.c_double)),
        )
    )
    assert written.value == n


def time(n, passes):
    out = np.empty(n)
    times = []
    for _ in range(passes):
        start = perf_counter()
        score(n, out)
        times.append((perf_counter() - start) * 1e3)
    return statistics.median(times)


for line in sys.stdin:
    match line.split():
        case ["scores", n]:
            out = np.empty(int(n))
            score(int(n), out)
            print(json.dumps(out.tolist()), flush=True)
        case ["time", n, passes]:
            print(time(int(n), int(passes)), flush=True)
