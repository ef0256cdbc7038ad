"""onnxruntime's native side of `cargo xtask bench encode`: python onnxruntime_native.py FOLDER SUFFIX

It answers the lines of crates/core/examples/encode.rs, on one thread, and those of pictures.rs: decoded and resized by Pillow, a thread
for each core, which is faster than one picture on all cores.
"""

import io
import json
import os
import pathlib
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import onnxruntime
from PIL import Image

SIZE = 224


def session(path: pathlib.Path) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def planes(file: bytes) -> np.ndarray:
    """As CLIP's own preprocessing has it."""
    picture = Image.open(io.BytesIO(file)).convert("RGB")
    scale = SIZE / min(picture.size)
    width, height = (round(side * scale) for side in picture.size)
    picture = picture.resize((width, height), Image.Resampling.BICUBIC)
    left, top = (width - SIZE) // 2, (height - SIZE) // 2
    pixels = np.asarray(picture.crop((left, top, left + SIZE, top + SIZE)), np.float32)
    return np.ascontiguousarray(((pixels / 255 - 0.5) / 0.5).transpose(2, 0, 1)[None])


def main() -> None:
    folder, suffix = pathlib.Path(sys.argv[1]), sys.argv[2]
    image, text = session(folder / f"image{suffix}"), session(folder / f"text{suffix}")
    pixels = np.fromfile(folder / "pixels.f32", np.float32).reshape(1, 3, SIZE, SIZE)
    rows = np.fromfile(folder / "tokens.f32", np.float32).reshape(1, 16, -1)
    files = [path.read_bytes() for path in sorted((folder / "jpeg").iterdir())]
    encode = {
        "image": lambda: image.run(None, {"pixels": pixels})[0],
        "text": lambda: text.run(None, {"embeddings": rows})[0],
        "pictures": lambda: image.run(None, {"pixels": planes(files[0])})[0],
    }
    pool = ThreadPoolExecutor(os.cpu_count())
    for line in sys.stdin:
        what, tower, *times = line.split()
        if what == "vector":
            print(json.dumps(encode[tower]()[0].tolist()), flush=True)
            continue
        count = int(times[0])
        start = time.perf_counter()
        if tower == "pictures":
            wanted = (files[at % len(files)] for at in range(count))
            list(pool.map(lambda file: image.run(None, {"pixels": planes(file)}), wanted))
        else:
            for _ in range(count):
                encode[tower]()
        print((time.perf_counter() - start) * 1e3 / count, flush=True)


if __name__ == "__main__":
    main()
