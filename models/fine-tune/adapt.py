"""Adapts a CLIP of Hugging Face's form to a site's own pairs. The towers stay frozen.

Trained are the two projections and, in the token table, rows for tokens of the pairs' texts that have none (and of
--words). What the frozen towers say of pictures and of texts without such tokens is computed once. The loss is the
sum of

- pairs: symmetric contrastive loss of pictures and texts (CLIP's). A text that several pictures have in the file fits
  all of them; those never count as wrong answers to each other;
- co-watch: the same between pictures, a pair drawn in proportion to its weight;
- hold: divergence of the base's softmax over the pictures from the adapted one's, for each text of --hold, and over
  the texts for each picture (learning without forgetting; Li & Hoiem, ECCV 2016);
- pull: squared distance of the weights from the base's, in parts of the base's squared norm.

Writes a model folder that `recsys model import` takes.
"""

import argparse
import json
import math
import pathlib
import shutil
import time

import torch
from safetensors.torch import load_file, save_file
from torch.nn import functional as F

from pairs import lines
from towers import Clip, Media, Rows, read_media

TEMPERATURE = 0.07
HOLD_TEMPERATURE = 0.05
_TABLE = "text_model.embeddings.token_embedding.weight"


def contrast(left: torch.Tensor, right: torch.Tensor, others_fit: torch.Tensor) -> torch.Tensor:
    """Symmetric contrastive loss of matching unit rows; `others_fit` [N, N] marks right answers beside a row's own."""
    logits = (left @ right.T / TEMPERATURE).masked_fill(others_fit, -math.inf)
    own = torch.arange(len(left))
    return (F.cross_entropy(logits, own) + F.cross_entropy(logits.T, own)) / 2


def divergence(base: torch.Tensor, adapted: torch.Tensor) -> torch.Tensor:
    """KL of the softmax over the columns and over the rows, the mean of both."""
    parts = []
    for a, b in ((base, adapted), (base.T, adapted.T)):
        target, own = F.log_softmax(a / HOLD_TEMPERATURE, 1), F.log_softmax(b / HOLD_TEMPERATURE, 1)
        parts.append(F.kl_div(own, target, log_target=True, reduction="batchmean"))
    return (parts[0] + parts[1]) / 2


class Known:
    """A set of pairs of numbers, asked of all pairs of two lists at once."""

    def __init__(self, left: torch.Tensor, right: torch.Tensor, columns: int) -> None:
        self._columns = columns
        self._keys = torch.unique(left * columns + right)

    def among(self, left: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
        """[len(left), len(right)] booleans."""
        asked = left[:, None] * self._columns + right[None, :]
        at = torch.searchsorted(self._keys, asked).clamp(max=len(self._keys) - 1)
        return self._keys[at] == asked


class Pairs:
    """Lines of pairs.jsonl: numbers of media and of distinct texts."""

    def __init__(self, records: list[dict], number: dict[pathlib.Path, int]) -> None:
        self.texts = sorted({record["text"] for record in records})
        of_text = {text: at for at, text in enumerate(self.texts)}
        self.media = torch.tensor([number[record["image"]] for record in records], dtype=torch.long)
        self.text = torch.tensor([of_text[record["text"]] for record in records], dtype=torch.long)
        self.fits = Known(self.text, self.media, max(len(number), 1))


class CoWatch:
    """Lines of cowatch.jsonl, both ways round."""

    def __init__(self, records: list[dict], number: dict[pathlib.Path, int]) -> None:
        left = torch.tensor([number[record["image"]] for record in records], dtype=torch.long)
        right = torch.tensor([number[record["with"]] for record in records], dtype=torch.long)
        self.left, self.right = torch.cat([left, right]), torch.cat([right, left])
        self.weights = torch.tensor([float(record["weight"]) for record in records] * 2)
        self.known = Known(self.left, self.right, max(len(number), 1))

    def others_fit(self, left: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
        """A pair of the file, or the same picture, unless it is the row's own."""
        fit = self.known.among(left, right) | (left[:, None] == right[None, :])
        return fit & ~torch.eye(len(left), dtype=torch.bool)


class Adapter(torch.nn.Module):
    """The trained weights."""

    def __init__(self, clip: Clip, new: list[int], generator: torch.Generator) -> None:
        super().__init__()
        self.clip = clip
        self.visual = torch.nn.Parameter(clip.visual.clone())
        self.text = torch.nn.Parameter(clip.text.clone())
        self.rows = Rows(clip, new, generator)

    def pull(self) -> torch.Tensor:
        moved = lambda own, base: (own - base).square().sum() / base.square().sum()  # noqa: E731
        total = moved(self.visual, self.clip.visual) + moved(self.text, self.clip.text)
        old = self.rows.values[~self.rows.new]
        table = self.clip.model.text_model.embeddings.token_embedding.weight
        base = table[self.rows.ids][~self.rows.new]
        return total + (old.square().sum() / base.square().sum() if len(old) > 0 else 0.0)


class Texts:
    """Unit vectors of texts; the tower runs only for those with trained rows."""

    def __init__(self, adapter: Adapter, tokens: list[list[int]]) -> None:
        self._adapter = adapter
        self._ids = adapter.clip.usable(tokens, adapter.rows)
        trained = adapter.rows.slot.tolist()
        self._live = torch.tensor([any(trained[t] for t in text) for text in self._ids], dtype=torch.bool)
        self._features = torch.zeros(len(tokens), adapter.clip.text.shape[1])
        still = (~self._live).nonzero().flatten()
        self._features[still] = adapter.clip.all_texts([self._ids[at] for at in still.tolist()])

    def vectors(self, chosen: torch.Tensor) -> torch.Tensor:
        """[N] numbers of texts -> [N, dim]."""
        distinct, back = torch.unique(chosen, return_inverse=True)
        features = self._features[distinct]
        live = self._live[distinct].nonzero().flatten()
        if len(live) > 0:
            ids = [self._ids[at] for at in distinct[live].tolist()]
            features = features.index_copy(0, live, self._adapter.clip.texts(ids, self._adapter.rows))
        return F.normalize(features @ self._adapter.text.T, dim=-1)[back]


def train(
    adapter: Adapter, media: Media, pairs: Pairs, cowatch: CoWatch, hold: list[list[int]], tokens: list[list[int]],
    args: argparse.Namespace, generator: torch.Generator,
) -> dict[str, float]:  # fmt: skip
    """Trains in place; the means of the losses over the last tenth of the steps."""
    clip = adapter.clip
    texts, held = Texts(adapter, tokens), clip.all_texts(clip.usable(hold))
    base_hold = F.normalize(held @ clip.text.T, dim=-1)
    frozen = media.vectors(clip.visual)
    projections = [] if args.freeze_projections else [adapter.visual, adapter.text]
    groups = [
        {"params": projections, "lr": args.rate},
        {"params": list(adapter.rows.parameters()), "lr": args.row_rate},
    ]
    optimiser = torch.optim.AdamW([group for group in groups if group["params"]], weight_decay=0.0)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, [group["lr"] for group in optimiser.param_groups], total_steps=args.steps, pct_start=0.05
    )
    draw = lambda count, size: torch.randint(count, (size,), generator=generator)  # noqa: E731
    seen: list[dict[str, float]] = []
    started = time.monotonic()
    for step in range(args.steps):
        parts = {"pull": args.pull * adapter.pull()}
        if len(pairs.text) > 0 and args.pairs_weight > 0:
            at = draw(len(pairs.text), args.batch)
            text, picture = pairs.text[at], pairs.media[at]
            # A row's own answer is on the diagonal; the same pair may come twice.
            others = pairs.fits.among(text, picture) & ~torch.eye(len(at), dtype=torch.bool)
            loss = contrast(texts.vectors(text), media.vectors(adapter.visual, picture), others)
            parts["pairs"] = args.pairs_weight * loss
        if len(cowatch.left) > 0 and args.cowatch_weight > 0:
            at = torch.multinomial(cowatch.weights, args.batch, replacement=True, generator=generator)
            left, right = cowatch.left[at], cowatch.right[at]
            loss = contrast(
                media.vectors(adapter.visual, left),
                media.vectors(adapter.visual, right),
                cowatch.others_fit(left, right),
            )
            parts["cowatch"] = args.cowatch_weight * loss
        if len(hold) > 0 and args.hold_weight > 0:
            text, picture = draw(len(hold), args.batch), draw(len(frozen), args.batch)
            own = F.normalize(held[text] @ adapter.text.T, dim=-1) @ media.vectors(adapter.visual, picture).T
            parts["hold"] = args.hold_weight * divergence(base_hold[text] @ frozen[picture].T, own)
        optimiser.zero_grad(set_to_none=True)
        sum(parts.values()).backward()
        optimiser.step()
        schedule.step()
        seen.append({name: float(value.detach()) for name, value in parts.items()})
        if (step + 1) % 100 == 0 or step + 1 == args.steps:
            shown = ", ".join(f"{name} {value:.3f}" for name, value in seen[-1].items())
            print(f"step {step + 1} of {args.steps}, {time.monotonic() - started:.0f} s: {shown}", flush=True)
    last = seen[-max(1, args.steps // 10) :]
    return {name: sum(one[name] for one in last) / len(last) for name in last[0]}


def write(adapter: Adapter, out: pathlib.Path, about: dict) -> None:
    """The base's folder with the trained tensors in place of its own, by a temporary folder."""
    base = adapter.clip.folder
    partial = out.with_name(f".{out.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    for file in base.iterdir():
        if file.suffix in (".json", ".txt") and not file.name.endswith(".index.json"):
            shutil.copy2(file, partial)
    tensors = load_file(base / "model.safetensors")
    for name, own in (("visual_projection.weight", adapter.visual), ("text_projection.weight", adapter.text)):
        tensors[name] = own.detach().to(tensors[name].dtype).contiguous()
    ids = adapter.rows.ids
    tensors[_TABLE][ids] += adapter.rows.values.detach().to(tensors[_TABLE].dtype)
    save_file(tensors, partial / "model.safetensors", metadata={"format": "pt"})
    (partial / "adapted.json").write_text(json.dumps(about, indent=2) + "\n", encoding="utf-8")
    partial.rename(out)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    path = pathlib.Path
    parser.add_argument("--model", type=path, required=True, help="the base: a folder of Hugging Face's form")
    parser.add_argument(
        "--pairs", type=path, help='lines {"image": path, "text": …}, paths relative to the file\'s folder'
    )
    parser.add_argument("--cowatch", type=path, help='lines {"image": path, "with": path, "weight": number}')
    parser.add_argument("--hold", type=path, help="texts whose results are to stay, one a line")
    parser.add_argument("--words", default="", help="words whose existing token rows are trained too")
    parser.add_argument("--out", type=path, required=True, help="the adapted model's folder; must not be there")
    parser.add_argument("--recsys", default="recsys", help="the command, for its tokenizer")
    parser.add_argument("--cache", type=path, help="file that keeps what the image tower says, for a further run")
    parser.add_argument("--frames", type=int, default=8, help="key frames of a video")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--batch", type=int, default=512)
    parser.add_argument("--rate", type=float, default=1e-3, help="peak learning rate of the projections")
    parser.add_argument("--row-rate", type=float, default=1e-2, help="that of token rows")
    parser.add_argument("--pairs-weight", type=float, default=1.0)
    parser.add_argument("--cowatch-weight", type=float, default=1.0)
    parser.add_argument("--hold-weight", type=float, default=3.0)
    parser.add_argument("--pull", type=float, default=1.0)
    parser.add_argument("--freeze-projections", action="store_true", help="train token rows alone")
    parser.add_argument("--limit", type=int, help="use only this many pictures, drawn at random (a learning curve)")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    if args.out.exists():
        parser.error(f"--out {args.out}: exists; choose another folder or remove it")
    if args.pairs is None and args.cowatch is None:
        parser.error("expected --pairs, --cowatch or both")
    return args


def read(file: pathlib.Path | None, names: tuple[str, ...]) -> list[dict]:
    """The lines of a file with absolute paths."""
    records = lines(file) if file else []
    expected = {"image", *names}
    for at, record in enumerate(records):
        missing = expected - record.keys()
        if missing:
            raise SystemExit(
                f"{file}, object {at + 1}: expected the fields {sorted(expected)}, {sorted(missing)} missing"
            )
        weight = record.get("weight", 1)
        if not (isinstance(weight, (int, float)) and 0 < weight < math.inf):
            raise SystemExit(f"{file}, object {at + 1}: weight {weight}: expected a number above 0")
        for name in {"image", "with"} & record.keys():
            record[name] = (file.parent / record[name]).resolve()
    return records


def main() -> None:
    args = arguments()
    torch.set_num_threads(args.threads)
    generator = torch.Generator().manual_seed(args.seed)
    clip = Clip(args.model, args.recsys)
    pairs, cowatch = read(args.pairs, ("text",)), read(args.cowatch, ("with", "weight"))
    paths = sorted({r["image"] for r in pairs + cowatch} | {r["with"] for r in cowatch})
    media = read_media(clip, paths, args.frames, args.threads, args.cache)
    if args.limit is not None:
        chosen = torch.randperm(len(paths), generator=generator)[: args.limit].sort().values
        media, paths = Media(media.features[chosen], media.weights[chosen]), [paths[at] for at in chosen.tolist()]
        pairs = [r for r in pairs if r["image"] in set(paths)]
        cowatch = [r for r in cowatch if r["image"] in set(paths) and r["with"] in set(paths)]
    number = {path: at for at, path in enumerate(paths)}
    pairs, cowatch = Pairs(pairs, number), CoWatch(cowatch, number)
    tokens = clip.tokens(pairs.texts)
    # A row that nothing trains would say something at random.
    lacking = {t for text in tokens for t in text if not clip.known[t]} if args.pairs_weight > 0 else set()
    asked = {t for text in clip.tokens([args.words]) for t in text} if args.words else set()
    adapter = Adapter(clip, sorted(lacking | asked), generator)
    hold = clip.tokens(args.hold.read_text(encoding="utf-8").splitlines()) if args.hold else []
    # A text of unknown words alone has no results to keep.
    hold = [text for text in hold if any(clip.known[t] for t in text)]
    sizes = {
        "pictures": len(paths), "pairs": len(pairs.text), "texts": len(pairs.texts), "cowatch": len(cowatch.left) // 2,
        "hold": len(hold), "new_rows": len(lacking), "moved_rows": len(asked - lacking),
    }  # fmt: skip
    print(json.dumps(sizes), flush=True)
    losses = train(adapter, media, pairs, cowatch, hold, tokens, args, generator)
    options = {name: str(value) if isinstance(value, pathlib.Path) else value for name, value in vars(args).items()}
    write(adapter, args.out, {"options": options, "sizes": sizes, "losses": losses})
    print(args.out)


if __name__ == "__main__":
    main()
