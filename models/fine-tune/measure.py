"""Retrieval before and after adapting: in f32 in PyTorch, and through `recsys model import`, `index` and `search`.

--queries names folders with `videos.jsonl` and `queries.jsonl`, as `pairs.py` writes them. Videos are their frames
alone, without titles, unless --title-weight says otherwise. For each kind of query: success@1 (the best video is
right) and NDCG@10 with binary gains, with 95 % intervals by bootstrap over queries, and the paired difference.
A text of which a model knows no word is refused by the encoder and counts 0. The `random` figure is the
expected value of a random order.
"""

import argparse
import json
import pathlib
import subprocess
import tempfile
from collections import defaultdict

import numpy as np
import torch
from torch.nn import functional as F

from pairs import lines
from towers import Clip, read_media

K = 10
RESAMPLES = 2000
_DISCOUNT = 1 / np.log2(np.arange(2, K + 2))


class Questions:
    """A folder of videos and queries."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.folder = folder
        # Of files that belong to it.
        self.name = "-".join(folder.resolve().parts[-2:])
        self.videos, self.queries = lines(folder / "videos.jsonl"), lines(folder / "queries.jsonl")
        self.ids = [video["id"] for video in self.videos]
        self._row = {id: row for row, id in enumerate(self.ids)}

    def path(self, relative: str) -> pathlib.Path:
        return (self.folder / relative).resolve()

    def measures(self, scores: np.ndarray) -> dict[str, dict[str, np.ndarray]]:
        """[queries, videos] scores, rows of NaN where refused -> kind -> name -> a value for each query."""
        found = defaultdict(lambda: defaultdict(list))
        for query, row in zip(self.queries, scores, strict=True):
            among = [self._row[id] for id in query.get("among", self.ids) if id != query.get("not")]
            relevant = np.isin(among, [self._row[id] for id in query["relevant"]])
            most = min(K, int(relevant.sum()))
            ideal, share = _DISCOUNT[:most].sum(), relevant.mean()
            refused = np.isnan(row[among]).any()
            hits = np.zeros(K, bool) if refused else relevant[np.argsort(-row[among], kind="stable")[:K]]
            kind = found[query["kind"]]
            kind["success@1"].append(float(hits[0]))
            kind["NDCG@10"].append(float((hits * _DISCOUNT[: len(hits)]).sum() / ideal))
            kind["random success@1"].append(share)
            kind["random NDCG@10"].append(share * _DISCOUNT[: len(among)].sum() / ideal)
        return {kind: {name: np.array(values) for name, values in one.items()} for kind, one in found.items()}


def in_pytorch(questions: Questions, folder: pathlib.Path, cache: pathlib.Path, args: argparse.Namespace) -> np.ndarray:
    """[queries, videos] cosines in f32. `cache` is a folder."""
    clip = Clip(folder, args.recsys)
    paths = [questions.path(video["contentUrl"]) for video in questions.videos]
    media = read_media(clip, paths, args.frames, args.threads, cache / f"{questions.name}.videos")
    videos = media.vectors(clip.visual)
    if args.title_weight > 0:
        names = clip.usable(clip.tokens([video["name"] for video in questions.videos]))
        titles = F.normalize(clip.all_texts(names) @ clip.text.T, dim=-1)
        told = torch.tensor([float(len(name) > 2) for name in names])[:, None] * args.title_weight
        videos = F.normalize(videos * (1 - told) + titles * told, dim=-1)
    texts = [at for at, query in enumerate(questions.queries) if "text" in query]
    stills = [at for at, query in enumerate(questions.queries) if "image" in query]
    vectors = torch.full((len(questions.queries), videos.shape[1]), torch.nan)
    ids = clip.usable(clip.tokens([questions.queries[at]["text"] for at in texts]))
    vectors[texts] = F.normalize(clip.all_texts(ids) @ clip.text.T, dim=-1)
    vectors[[at for at, text in zip(texts, ids, strict=True) if len(text) == 2]] = torch.nan
    if stills:
        paths = [questions.path(questions.queries[at]["image"]) for at in stills]
        vectors[stills] = read_media(clip, paths, 1, args.threads, cache / f"{questions.name}.stills").vectors(
            clip.visual
        )
    return (vectors @ videos.T).numpy()


def run(*command: str | pathlib.Path, refusable: bool = False) -> str | None:
    """What it prints; None where it refuses a text of unknown words and `refusable`."""
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return done.stdout
    if refusable and "no word" in done.stderr:
        return None
    raise SystemExit(f"{' '.join(map(str, command))}: {done.stderr.strip()}")


def deployed(questions: Questions, folder: pathlib.Path, work: pathlib.Path, args: argparse.Namespace) -> np.ndarray:
    """[queries, videos] scores of `recsys search`, the model imported to int8."""
    model, bundle = work / "model", work / f"bundle-{questions.name}"
    run(args.recsys, "model", "import", folder, "--out", model)
    catalogue = questions.folder / "videos.jsonl"
    run(
        args.recsys, "index", "--catalogue", catalogue, "--model", model, "--out", bundle, "--unsigned", "--no-graph",
        "--title-weight", str(args.title_weight), "--frames", str(args.frames), "--threads", str(args.threads),
    )  # fmt: skip
    row = {id: at for at, id in enumerate(questions.ids)}
    scores = np.full((len(questions.queries), len(row)), np.nan, np.float32)
    search = [args.recsys, "search", "--bundle", bundle, "--model", model, "-k", str(len(row)), "--json"]
    for at, query in enumerate(questions.queries):
        asked = ["--text", query["text"]] if "text" in query else ["--image", questions.path(query["image"])]
        answer = run(*search, *asked, refusable=True)
        hits = json.loads(answer) if answer is not None else []
        if answer is not None and len(hits) != len(row):
            raise SystemExit(f"{bundle}: expected all {len(row)} videos as results, found {len(hits)}")
        for hit in hits:
            scores[at, row[hit["id"]]] = hit["score"]
    return scores


def interval(values: np.ndarray, rng: np.random.Generator) -> list[float]:
    """Mean, and the 95 % interval of the mean over resampled queries."""
    means = values[rng.integers(0, len(values), (RESAMPLES, len(values)))].mean(1)
    return [round(float(x), 4) for x in (values.mean(), *np.percentile(means, [2.5, 97.5]))]


def compare(
    engine: str, base: dict[str, dict[str, np.ndarray]], adapted: dict[str, dict[str, np.ndarray]]
) -> list[dict]:
    """The figures of each kind and measure, from what `Questions.measures` gives."""
    rows = []
    for kind in base:
        for name in ("success@1", "NDCG@10"):
            before, after = base[kind][name], adapted[kind][name]
            rng = np.random.default_rng(1)
            chance = round(float(base[kind][f"random {name}"].mean()), 4)
            row = {"kind": kind, "queries": len(before), "engine": engine, "measure": name, "random": chance}
            row |= {"base": interval(before, rng), "adapted": interval(after, rng)}
            rows.append(row | {"difference": interval(after - before, rng)})
    return rows


def line(row: dict) -> str:
    """A line of the printed table."""
    cells = [row["kind"], str(row["queries"]), row["engine"], row["measure"], f"{row['random']:.3f}"]
    for mean, low, high in (row["base"], row["adapted"], row["difference"]):
        cells.append(f"{mean:.3f} [{low:.3f}, {high:.3f}]")
    return f"| {' | '.join(cells)} |"


def measure(questions: Questions, cache: pathlib.Path, args: argparse.Namespace) -> list[dict]:
    """The rows of a folder, printed as they come."""
    rows = []
    for engine in ["f32"] + (["int8"] if args.work else []):
        measured = []
        for name, folder in (("base", args.base), ("adapted", args.adapted)):
            if engine == "f32":
                scores = in_pytorch(questions, folder, cache, args)
            else:
                work = args.work / name
                work.mkdir(parents=True, exist_ok=True)
                scores = deployed(questions, folder, work, args)
            measured.append(questions.measures(scores))
        found = compare(engine, *measured)
        print("\n".join(map(line, found)), flush=True)
        rows += found
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    path = pathlib.Path
    parser.add_argument("--base", type=path, required=True, help="model folder of Hugging Face's form")
    parser.add_argument("--adapted", type=path, required=True, help="the same, from adapt.py")
    parser.add_argument("--queries", type=path, nargs="+", required=True)
    parser.add_argument("--work", type=path, help="folder for imported models and bundles; without it, PyTorch alone")
    parser.add_argument("--cache", type=path, help="folder that keeps what the image tower says, for a further run")
    parser.add_argument("--title-weight", type=float, default=0.0)
    parser.add_argument("--recsys", default="recsys", help="the command")
    parser.add_argument("--frames", type=int, default=8)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", type=path, help="write the figures here too")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    print("| kind | queries | | measure | random | base | adapted | difference |\n" + "| --- " * 8 + "|")
    with tempfile.TemporaryDirectory() as scratch:
        cache = args.cache or path(scratch)
        cache.mkdir(parents=True, exist_ok=True)
        rows = [row for folder in args.queries for row in measure(Questions(folder), cache, args)]
    if args.json:
        args.json.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
