"""Measures retrieval on held-out combinations, and what int8 weights change.

Pictures alone: a video's vector is the mean of its frames' unit vectors. `--large` (the held-out split
at 180 pixels) adds the same measurement after H.264.
"""

import argparse
import json
import pathlib
import subprocess

import numpy as np
from PIL import Image

from data import read_records
from encoder import Encoder, unit, video_vectors
from export import Reference

FRAMES, NEIGHBOUR_FRAMES, NEIGHBOURS = 8, 4, 19
SIZE = 64
# The size of the demo catalogue's videos.
VIDEO_WIDTH, VIDEO_HEIGHT = 320, 180


def h264(frames: np.ndarray, key_every: int) -> np.ndarray:
    """u8 [N, 180, 180, 3] -> [N, 64, 64, 3] after libx264 at 320x180 (crf 23, 4:2:0) and Pillow's bicubic.

    The sides of the video repeat the edge pixels: the model crops them away.
    """
    side = (VIDEO_WIDTH - VIDEO_HEIGHT) // 2
    raw = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{VIDEO_WIDTH}x{VIDEO_HEIGHT}"]
    codec = ["-c:v", "libx264", "-crf", "23", "-pix_fmt", "yuv420p", "-g", str(key_every), "-sc_threshold", "0"]
    quiet = ["ffmpeg", "-loglevel", "error"]
    out = np.empty((len(frames), SIZE, SIZE, 3), np.uint8)
    # A whole number of videos at a time bounds the memory.
    step = 100 * key_every
    for at in range(0, len(frames), step):
        wide = np.pad(frames[at : at + step], ((0, 0), (0, 0), (side, side), (0, 0)), mode="edge")
        encode = [*quiet, *raw, "-r", "8", "-i", "-", *codec, "-f", "matroska", "-"]
        packed = subprocess.run(encode, input=wide.tobytes(), capture_output=True, check=True).stdout
        decode = [*quiet, "-f", "matroska", "-i", "-", "-f", "rawvideo", "-pix_fmt", "rgb24", "-"]
        decoded = subprocess.run(decode, input=packed, capture_output=True, check=True).stdout
        pictures = np.frombuffer(decoded, np.uint8).reshape(wide.shape)[:, :, side:-side]
        for number, picture in enumerate(pictures):
            small = Image.fromarray(picture).resize((SIZE, SIZE), Image.Resampling.BICUBIC)
            out[at + number] = np.asarray(small)
    return out


def retrieval(titles: np.ndarray, videos: np.ndarray, neighbours: np.ndarray) -> dict[str, float]:
    """titles, videos: [V, dim] unit; neighbours: [V, 19, dim] unit. Shares of titles whose best is right."""
    among_all = (titles @ videos.T).argmax(1) == np.arange(len(titles))
    own = (titles * videos).sum(1)
    others = np.einsum("vd,vnd->vn", titles, neighbours)
    right = own[:, None] > others
    # Neighbours lie in the order of what they change: 5 things, 5 colours, 5 places, 4 times.
    kinds = np.split(right, [5, 10, 15], axis=1)
    return {
        "among_100": round(float(among_all.mean()), 3),
        "among_20": round(float(right.all(1).mean()), 3),
        **{f"against_{name}": round(float(k.all(1).mean()), 3) for name, k in zip(("thing", "colour", "place", "time"), kinds)},
    }


def centred_cosine(a: np.ndarray, b: np.ndarray) -> dict[str, float]:
    """Cosines of matching rows, each set less its own mean."""
    cosines = (unit(a - a.mean(0)) * unit(b - b.mean(0))).sum(1)
    return {"least": round(float(cosines.min()), 5), "mean": round(float(cosines.mean()), 5)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--heldout", type=pathlib.Path, required=True, help="held-out split at 64 pixels")
    parser.add_argument("--large", type=pathlib.Path, help="held-out split at 180 pixels")
    parser.add_argument("--checkpoint", type=pathlib.Path, help="the f32 model")
    parser.add_argument("--model", type=pathlib.Path, help="folder of the exported int8 model")
    parser.add_argument("--record", action="store_true", help="write the figures into the model's model.json")
    args = parser.parse_args()

    records = read_records(args.heldout)
    load = lambda folder, name: np.load(folder / name, mmap_mode="r")  # noqa: E731
    frames = {"clean": (load(args.heldout, "images.npy"), load(args.heldout, "neighbours.npy"))}
    if args.large:
        own, others = load(args.large, "images.npy"), load(args.large, "neighbours.npy")
        frames["h264"] = (h264(own, FRAMES), h264(others, NEIGHBOUR_FRAMES))
    encoders = {}
    if args.checkpoint:
        encoders["f32"] = Reference(args.checkpoint)
    if args.model:
        encoders["int8"] = Encoder(args.model)

    measured, vectors = {}, {}
    for kind, encoder in encoders.items():
        titles = unit(np.stack([encoder.encode_text(record["title"]) for record in records]))
        for source, (own, others) in frames.items():
            videos = video_vectors(encoder.encode_images(own), FRAMES)
            neighbours = video_vectors(encoder.encode_images(others), NEIGHBOUR_FRAMES)
            neighbours = neighbours.reshape(len(records), NEIGHBOURS, -1)
            measured[f"{kind}_{source}"] = retrieval(titles, videos, neighbours)
            vectors[kind, source] = (titles, videos)
    if {"f32", "int8"} <= encoders.keys():
        (text, video), (text8, video8) = vectors["f32", "clean"], vectors["int8", "clean"]
        measured["int8_to_f32_cosine"] = {"video": centred_cosine(video, video8), "text": centred_cosine(text, text8)}
    print(json.dumps(measured, indent=2))
    if args.record:
        path = args.model / "model.json"
        manifest = json.loads(path.read_text(encoding="utf-8")) | {"measured": measured}
        path.write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
