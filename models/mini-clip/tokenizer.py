"""CLIP's byte-pair tokenizer in plain Python.

The vocabulary is the merge list that OpenAI published with CLIP (MIT). It is not
kept in this repository: the `clip-anytorch` wheel in requirements.txt carries it.
"""

import functools
import gzip
import hashlib
import html
import importlib.util
import pathlib

import ftfy
import regex

START = 49406
END = 49407

_VOCABULARY = "bpe_simple_vocab_16e6.txt.gz"
_VOCABULARY_SHA256 = "924691ac288e54409236115652ad4aa250f48203de50a9e4722a6ecd48d6804a"
# Ids: 256 bytes, the same 256 ending a word, one for each merge, start, end.
_MERGES = START - 2 * 256
_END_OF_WORD = "</w>"
_WORD = regex.compile(
    r"<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|\p{L}+|\p{N}|[^\s\p{L}\p{N}]+",
    regex.IGNORECASE,
)


def _byte_symbols() -> dict[int, str]:
    """Byte -> printable character, in the order in which CLIP numbers the bytes."""
    printable = [*range(ord("!"), ord("~") + 1), *range(0xA1, 0xAC + 1), *range(0xAE, 0xFF + 1)]
    symbols = {byte: chr(byte) for byte in printable}
    for byte in range(256):
        if byte not in symbols:
            symbols[byte] = chr(256 + len(symbols) - len(printable))
    return symbols


def _read_merges() -> list[tuple[str, str]]:
    package = importlib.util.find_spec("clip")
    if package is None or package.origin is None:
        raise SystemExit("tokenizer: package clip-anytorch is missing; pip install -r requirements.txt")
    packed = (pathlib.Path(package.origin).parent / _VOCABULARY).read_bytes()
    found = hashlib.sha256(packed).hexdigest()
    if found != _VOCABULARY_SHA256:
        raise SystemExit(f"tokenizer: {_VOCABULARY}: sha256 {found}, expected {_VOCABULARY_SHA256}")
    lines = gzip.decompress(packed).decode("utf-8").split("\n")[1 : _MERGES + 1]
    return [(left, right) for left, right in (line.split() for line in lines)]


class Tokenizer:
    """Text to CLIP token ids."""

    def __init__(self) -> None:
        merges = _read_merges()
        self._byte_symbols = _byte_symbols()
        symbols = list(self._byte_symbols.values())
        pieces = symbols + [s + _END_OF_WORD for s in symbols] + [left + right for left, right in merges]
        self._ids = {piece: index for index, piece in enumerate(pieces)}
        self._ranks = {pair: rank for rank, pair in enumerate(merges)}
        self._word_ids = functools.cache(self._encode_word)

    def encode(self, text: str) -> list[int]:
        """Ids without start and end: [0, 49406), of any length."""
        clean = html.unescape(html.unescape(ftfy.fix_text(text))).strip()
        clean = regex.sub(r"\s+", " ", clean).strip().lower()
        return [token for word in _WORD.findall(clean) for token in self._word_ids(word)]

    def _encode_word(self, word: str) -> tuple[int, ...]:
        if word in ("<|startoftext|>", "<|endoftext|>"):
            return (START,) if "start" in word else (END,)
        parts = [self._byte_symbols[byte] for byte in word.encode("utf-8")]
        parts[-1] += _END_OF_WORD
        while len(parts) > 1:
            ranked = [(self._ranks.get(pair, len(self._ranks)), pair) for pair in zip(parts, parts[1:])]
            rank, pair = min(ranked)
            if rank == len(self._ranks):
                break
            parts = _merge(parts, pair)
        return tuple(self._ids[part] for part in parts)


def _merge(parts: list[str], pair: tuple[str, str]) -> list[str]:
    """Joins every occurrence of `pair`, from the left."""
    merged, at = [], 0
    while at < len(parts):
        if tuple(parts[at : at + 2]) == pair:
            merged.append(parts[at] + parts[at + 1])
            at += 2
        else:
            merged.append(parts[at])
            at += 1
    return merged
