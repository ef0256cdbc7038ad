"""A catalogue and a log as pairs to learn from, and queries to measure with.

Writes into --out: `pairs.jsonl` (a picture and a text that fits it), `cowatch.jsonl` (two pictures whose videos
were chosen in the same visits, with a weight), `hold.txt` (texts whose results are to stay as they are), and in
`held-out` what `measure.py` reads. Nothing of a held-out video is in the first three.
"""

import argparse
import hashlib
import itertools
import json
import os
import pathlib
import string
from collections import Counter, defaultdict

# A watch of so many seconds counts as a choice (docs/events.md).
_WATCHED = 30
# Added to the denominator of a co-watch weight (crates/core/src/cowatch.rs).
_DAMPING = 5


def lines(path: pathlib.Path) -> list[dict]:
    """The objects of a JSON Lines file."""
    if not path.is_file():
        raise SystemExit(f"{path}: no such file")
    found = []
    with open(path, encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            try:
                one = json.loads(line)
            except json.JSONDecodeError as error:
                raise SystemExit(f"{path}, line {number}: expected a JSON object: {error}") from error
            if not isinstance(one, dict):
                raise SystemExit(f"{path}, line {number}: expected a JSON object, found {line.strip()[:40]}")
            found.append(one)
    return found


def write_lines(path: pathlib.Path, objects: list[dict]) -> None:
    """One JSON object a line."""
    text = "".join(json.dumps(one, ensure_ascii=False) + "\n" for one in objects)
    path.write_text(text, encoding="utf-8")


def _values(video: dict, field: str) -> list[str]:
    """The texts of a catalogue field; of an organisation or a person, the name."""
    value = video.get(field)
    many = value if isinstance(value, list) else [value]
    many = [one.get("name") if isinstance(one, dict) else one for one in many]
    return [str(one) for one in many if one not in (None, "")]


def expand(template: str, video: dict) -> list[str]:
    """`{genre} {keywords}` with each value of each field; none where a field is empty."""
    fields = [field for _, field, _, _ in string.Formatter().parse(template) if field]
    choices = itertools.product(*(_values(video, field) for field in fields))
    return [template.format(**dict(zip(fields, chosen, strict=True))) for chosen in choices]


def visits(events: list[dict]) -> list[set[str]]:
    """The videos that each session chose: clicked, or watched for 30 seconds."""
    chosen = defaultdict(set)
    for event in events:
        watched = event["event"] == "watch" and event["watch_seconds"] >= _WATCHED
        if watched or event["event"] == "click":
            chosen[event["session"]].add(event["item"])
    return list(chosen.values())


def together(chosen: list[set[str]], ids: set[str]) -> dict[tuple[str, str], float]:
    """The weight of each pair of `ids`, the lesser id first: c / (√(a · b) + 5) of c visits with both."""
    single, both = Counter(), Counter()
    for visit in chosen:
        own = sorted(visit & ids)
        single.update(own)
        both.update(itertools.combinations(own, 2))
    return {(a, b): c / ((single[a] * single[b]) ** 0.5 + _DAMPING) for (a, b), c in both.items()}


def _held_out(videos: list[dict], args: argparse.Namespace) -> set[str]:
    if args.held_out is not None:
        named = set(args.held_out.read_text(encoding="utf-8").split())
        unknown = named - {video["id"] for video in videos}
        if unknown:
            raise SystemExit(f"{args.held_out}: {len(unknown)} ids that the catalogue lacks, such as {min(unknown)}")
        return named
    draw = lambda video: int(hashlib.sha256(video["id"].encode()).hexdigest()[:8], 16) / 16**8  # noqa: E731
    return {video["id"] for video in videos if draw(video) < args.share}


def queries(videos: list[dict], args: argparse.Namespace, chosen: list[set[str]], locate) -> list[dict]:
    """Texts and videos, each with the ids that answer it."""
    found = []
    for template in args.text + args.ask + args.hold:
        answers = defaultdict(list)
        for video in videos:
            for text in set(expand(template, video)):
                answers[text].append(video["id"])
        found += [{"kind": template, "text": text, "relevant": ids} for text, ids in answers.items()]
    near = defaultdict(list)
    for a, b in together(chosen, {video["id"] for video in videos}):
        near[a].append(b)
        near[b].append(a)
    stills = {video["id"]: locate(video["thumbnailUrl"]) for video in videos if "thumbnailUrl" in video}
    # A video is no answer to its own still.
    return found + [
        {"kind": "co-watch", "image": stills[id], "relevant": ids, "not": id}
        for id, ids in near.items()
        if id in stills
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--catalogue", type=pathlib.Path, required=True, help="videos.jsonl")
    parser.add_argument("--events", type=pathlib.Path, help="events.jsonl, for co-watch and searches")
    parser.add_argument("--text", action="append", default=[], help="what to learn, from catalogue fields: '{genre}'")
    parser.add_argument("--ask", action="append", default=[], help="what to measure without learning it")
    parser.add_argument("--hold", action="append", default=[], help="what to keep: '{name}'")
    parser.add_argument("--held-out", type=pathlib.Path, help="ids of the held-out videos, one a line")
    parser.add_argument("--share", type=float, default=0.1, help="share that is held out where no ids are given")
    parser.add_argument("--out", type=pathlib.Path, required=True)
    args = parser.parse_args()
    videos = lines(args.catalogue)
    events = lines(args.events) if args.events else []
    held_out = _held_out(videos, args)
    kept = [video for video in videos if video["id"] not in held_out]
    rest = [video for video in videos if video["id"] in held_out]
    chosen = visits(events)
    for folder, own in ((args.out, kept), (args.out / "held-out", rest)):
        folder.mkdir(parents=True, exist_ok=True)
        # Paths in a file are relative to its folder.
        locate = lambda url, folder=folder: os.path.relpath(args.catalogue.parent / url, folder)  # noqa: E731
        media = {video["id"]: locate(video["contentUrl"]) for video in own}
        if own is rest:
            write_lines(folder / "videos.jsonl", [video | {"contentUrl": media[video["id"]]} for video in own])
            write_lines(folder / "queries.jsonl", queries(own, args, chosen, locate))
            continue
        texts = [(video["id"], text) for video in own for t in args.text for text in sorted(set(expand(t, video)))]
        write_lines(folder / "pairs.jsonl", [{"image": media[id], "text": text} for id, text in texts])
        weights = together(chosen, set(media))
        pairs = [{"image": media[a], "with": media[b], "weight": round(w, 5)} for (a, b), w in weights.items()]
        write_lines(folder / "cowatch.jsonl", pairs)
        searched = {event["query"] for event in events if event["event"] == "search"}
        hold = searched | {text for video in own for template in args.hold for text in expand(template, video)}
        (folder / "hold.txt").write_text("".join(f"{text}\n" for text in sorted(hold)), encoding="utf-8")
        print(f"{len(own)} videos to learn from: {len(texts)} texts, {len(pairs)} co-watch pairs, {len(hold)} to hold")
    print(f"{len(rest)} videos held out")


if __name__ == "__main__":
    main()
