"""Key frames, as `recsys index` takes them (crates/cli/src/media.rs)."""

import pathlib
import subprocess
import tempfile

from PIL import Image

_PICTURES = {".jpg", ".jpeg", ".png", ".webp", ".gif"}


def frames(path: pathlib.Path, count: int) -> list[Image.Image]:
    """1 to `count` RGB pictures of a picture file, a folder of pictures (by name) or a video (by ffmpeg).

    Of a folder, the middle of each of `count` equal parts; of a video, one frame of each.
    """
    if path.is_dir():
        files = sorted(path.iterdir())
        if not files:
            raise SystemExit(f"{path}: expected pictures, found an empty folder")
        taken = min(count, len(files))
        return [_open(files[(2 * i + 1) * len(files) // (2 * taken)]) for i in range(taken)]
    if not path.is_file():
        raise SystemExit(f"{path}: no such file; check the paths of the pairs")
    if path.suffix.lower() in _PICTURES:
        return [_open(path)]
    return _video(path, count)


def _open(path: pathlib.Path) -> Image.Image:
    try:
        with Image.open(path) as picture:
            return picture.convert("RGB")
    except OSError as error:
        raise SystemExit(f"{path}: expected a picture that Pillow can read: {error}") from error


def _video(path: pathlib.Path, count: int) -> list[Image.Image]:
    probe = ["ffprobe", "-v", "error", "-show_entries", "format=duration", "-of", "csv=p=0"]
    found = _run([*probe, f"file:{path}"], path).strip()
    try:
        seconds = float(found)
    except ValueError:
        seconds = 0.0
    # A stream of unknown length gives its first frames.
    choose = f"fps={count}/{seconds}:start_time=0:round=near" if seconds > 0 else "null"
    with tempfile.TemporaryDirectory() as folder:
        read = ["ffmpeg", "-nostdin", "-v", "error", "-noautorotate", "-threads", "1", "-i", f"file:{path}"]
        _run([*read, "-map", "0:v:0", "-vf", choose, "-frames:v", str(count), f"{folder}/%06d.bmp"], path)
        pictures = [_open(file) for file in sorted(pathlib.Path(folder).iterdir())]
    if not pictures:
        raise SystemExit(f"{path}: ffmpeg gave no frame")
    return pictures


def _run(command: list[str], path: pathlib.Path) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        raise SystemExit(f"{command[0]} is needed to read videos; install ffmpeg") from error
    if done.returncode != 0:
        raise SystemExit(f"{path}: expected a video that ffmpeg can read: {done.stderr.strip()}")
    return done.stdout
