"""Trains the two towers from nothing on pictures of the demo world, on a CPU.

Every step's draws come from (seed, step) alone: a run that was cut off and resumed from its
checkpoint sees the batches that the whole run would have seen.
"""

import argparse
import dataclasses
import json
import pathlib
import time

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from data import Attributes, Meaning, Vocabulary, hard_batch, read_records, shorten, vary_images
from model import Config, MiniClip

GROUPS, GROUP_SIZE = 16, 8
PEAK_RATE, FINAL_RATE, WARM_UP = 1.5e-3, 1e-5, 150
WEIGHT_DECAY = 0.1
# Share of the run that sees half of each picture's patches, and the share in which the rate falls.
HALF_PATCHES, COOL_DOWN = 0.6, 0.35
TITLE_SHARE = 0.4
MIXED_SHARE = 0.02
ATTRIBUTE_WEIGHT = 0.3
MAX_LOGIT_SCALE = float(np.log(100.0))


class AttributeHeads(nn.Module):
    """Training only: attribute values read off a unit vector, one head for both towers."""

    def __init__(self, dim: int, counts: list[int]) -> None:
        super().__init__()
        self.heads = nn.Linear(dim, sum(counts))
        self.counts = counts

    def loss(self, vector: torch.Tensor, allowed: torch.Tensor) -> torch.Tensor:
        """vector: [N, dim] unit; allowed: [N, sum of counts], each row's possible values.

        Minus the log of the probability that falls on the allowed values, summed over the attributes.
        """
        total = torch.zeros(())
        logits = self.heads(vector * 12.0).split(self.counts, 1)
        for part, mask in zip(logits, allowed.split(self.counts, 1)):
            inside = part.masked_fill(~mask, float("-inf")).logsumexp(1)
            total = total + (part.logsumexp(1) - inside).mean()
        return total


def contrastive_loss(image: torch.Tensor, text: torch.Tensor, scale: torch.Tensor, fits: torch.Tensor) -> torch.Tensor:
    """Symmetric cross-entropy over the batch.

    image, text: [N, dim] unit; fits: [N, N], whether caption j is true of picture i. Only the pair
    itself counts as right; other pictures that fit a caption are no wrong answers either.
    """
    own = torch.eye(len(image), dtype=torch.bool)
    logits = (scale * image @ text.T).masked_fill(fits & ~own, float("-inf"))
    target = torch.arange(len(image))
    return (F.cross_entropy(logits, target) + F.cross_entropy(logits.T, target)) / 2


def rate(step: int, steps: int) -> float:
    """Warm-up, a plateau, then a straight fall."""
    fall = min(1.0, (steps - step) / (COOL_DOWN * steps))
    return max(FINAL_RATE, PEAK_RATE * min(1.0, (step + 1) / WARM_UP) * fall)


def optimiser(modules: list[nn.Module]) -> torch.optim.AdamW:
    parameters = [p for module in modules for p in module.parameters()]
    matrices = [p for p in parameters if p.ndim >= 2]
    others = [p for p in parameters if p.ndim < 2]
    groups = [{"params": matrices, "weight_decay": WEIGHT_DECAY}, {"params": others, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=PEAK_RATE, betas=(0.9, 0.98))


class Pairs:
    """The training set and its derived tables."""

    def __init__(self, folder: pathlib.Path, context: int) -> None:
        self.images = np.load(folder / "images.npy")
        self.records = read_records(folder)
        attributes = Attributes(self.records)
        self.values = attributes.encode(self.records)
        self.counts = attributes.counts()
        texts = [text for record in self.records for text in (*record["captions"], record["title"])]
        rows = np.repeat(np.arange(len(self.records)), [len(r["captions"]) + 1 for r in self.records])
        self.meaning = Meaning(texts, rows, self.values, self.counts)
        self.vocabulary = Vocabulary.of(texts, context)
        self.one_hot = np.concatenate(
            [np.eye(count, dtype=bool)[self.values[:, a]] for a, count in enumerate(self.counts)], 1
        )

    def caption(self, row: int, rng: np.random.Generator) -> tuple[str, np.ndarray]:
        """A text for a picture, and the attribute values that it allows."""
        record = self.records[row]
        title = rng.random() < TITLE_SHARE
        text = record["title"] if title else record["captions"][rng.integers(len(record["captions"]))]
        if not title:
            text = shorten(text, rng)
        allowed = self.meaning.of(text)
        if rng.random() < MIXED_SHARE:
            text = " ".join(rng.permutation(text.split()))
        # Shortening may join words into a phrase that means something else; the picture stays right.
        return text, allowed | self.one_hot[row]


def step_loss(model: MiniClip, heads: AttributeHeads, pairs: Pairs, step: int, steps: int, seed: int) -> torch.Tensor:
    rng = np.random.default_rng([seed, step])
    rows = hard_batch(pairs.values, GROUPS, GROUP_SIZE, rng)
    texts, meanings = zip(*(pairs.caption(row, rng) for row in rows))
    allowed, shown = np.stack(meanings), pairs.one_hot[rows]
    # A caption fits a picture unless it rules out one of the picture's values.
    fits = torch.from_numpy((shown.astype(np.float32) @ (~allowed).T.astype(np.float32)) == 0)
    keep = None
    if step < HALF_PATCHES * steps:
        order = rng.random((len(rows), model.config.patches)).argsort(1)
        keep = torch.from_numpy(order[:, : model.config.patches // 2])
    image = F.normalize(model.encode_image(vary_images(pairs.images[rows], rng), keep), dim=1)
    text = F.normalize(model.encode_text(*pairs.vocabulary.batch(list(texts))), dim=1)
    attribute = heads.loss(image, torch.from_numpy(shown)) + heads.loss(text, torch.from_numpy(allowed))
    return contrastive_loss(image, text, model.logit_scale.exp(), fits) + ATTRIBUTE_WEIGHT * attribute


def save(path: pathlib.Path, state: dict) -> None:
    """Atomic, so that a cut-off run keeps its last checkpoint."""
    partial = path.with_suffix(".partial")
    torch.save(state, partial)
    partial.replace(path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=pathlib.Path, required=True, help="folder with images.npy and captions.jsonl")
    parser.add_argument("--out", type=pathlib.Path, required=True, help="checkpoint to write, and to resume from")
    parser.add_argument("--steps", type=int, default=1100)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()

    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    config = Config()
    pairs = Pairs(args.pairs, config.context)
    model = MiniClip(config, len(pairs.vocabulary.ids))
    heads = AttributeHeads(config.dim, pairs.counts)
    adam = optimiser([model, heads])
    first, seconds = 0, 0.0
    if args.out.exists():
        saved = torch.load(args.out, weights_only=True)
        if saved["seed"] != args.seed or saved["pictures"] != len(pairs.images):
            raise SystemExit(f"{args.out}: checkpoint of another run; remove it or choose another --out")
        model.load_state_dict(saved["model"])
        heads.load_state_dict(saved["heads"])
        adam.load_state_dict(saved["adam"])
        first, seconds = saved["step"], saved["seconds"]
    print(
        f"{len(pairs.images)} pictures, {len(pairs.vocabulary.ids)} token rows, "
        f"{sum(p.numel() for p in model.parameters())} parameters, from step {first} of {args.steps}",
        flush=True,
    )

    model.train()
    mean, began = 0.0, time.monotonic()
    for step in range(first, args.steps):
        for group in adam.param_groups:
            group["lr"] = rate(step, args.steps)
        loss = step_loss(model, heads, pairs, step, args.steps, args.seed)
        adam.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_([*model.parameters(), *heads.parameters()], 1.0)
        adam.step()
        with torch.no_grad():
            model.logit_scale.clamp_(0.0, MAX_LOGIT_SCALE)
        mean += float(loss.detach())
        done = step + 1
        if done % 25 == 0:
            spent = seconds + time.monotonic() - began
            line = {"step": done, "loss": round(mean / 25, 4), "seconds": round(spent)}
            print(json.dumps(line | {"scale": round(model.logit_scale.exp().item(), 1)}), flush=True)
            mean = 0.0
        if done % 100 == 0 or done == args.steps:
            state = {
                "model": model.state_dict(),
                "heads": heads.state_dict(),
                "adam": adam.state_dict(),
                "config": dataclasses.asdict(config),
                "tokens": pairs.vocabulary.ids,
                "pictures": len(pairs.images),
                "seed": args.seed,
                "step": done,
                "steps": args.steps,
                "seconds": seconds + time.monotonic() - began,
            }
            save(args.out, state)


if __name__ == "__main__":
    main()
