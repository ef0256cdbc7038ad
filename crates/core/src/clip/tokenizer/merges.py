"""Writes merges.bin from the merge list that OpenAI published with CLIP (MIT), as the wheel clip-anytorch carries it.

    pip install --no-deps clip-anytorch==2.6.0 && python merges.py

merges.bin, little-endian, three columns of 48,894 u16 each: first token, second token, and the token that they become; sorted by
first, then second. Tokens below 256 are bytes in the order of CLIP, 256 to 511 the same bytes at the end of a word.
"""

import gzip
import hashlib
import importlib.util
import pathlib
import struct

SHA256 = "924691ac288e54409236115652ad4aa250f48203de50a9e4722a6ecd48d6804a"
MERGES = 49_406 - 512


def symbols() -> list[str]:
    """The character that stands for each of the 256 byte tokens."""
    printable = [*range(ord("!"), ord("~") + 1), *range(0xA1, 0xAC + 1), *range(0xAE, 0xFF + 1)]
    return [chr(byte) for byte in printable] + [chr(256 + n) for n in range(256 - len(printable))]


def main() -> None:
    package = importlib.util.find_spec("clip")
    if package is None or package.origin is None:
        raise SystemExit("clip-anytorch is not installed")
    packed = (pathlib.Path(package.origin).parent / "bpe_simple_vocab_16e6.txt.gz").read_bytes()
    found = hashlib.sha256(packed).hexdigest()
    if found != SHA256:
        raise SystemExit(f"merge list: SHA-256 {found}, expected {SHA256}")
    lines = gzip.decompress(packed).decode("utf-8").split("\n")[1 : MERGES + 1]
    tokens = {symbol: token for token, symbol in enumerate(symbols())}
    tokens |= {f"{symbol}</w>": token + 256 for symbol, token in tokens.items()}
    rows = []
    for token, line in enumerate(lines, 512):
        first, second = line.split()
        rows.append((tokens[first], tokens[second], token))
        tokens[first + second] = token
    columns = zip(*sorted(rows), strict=True)
    data = b"".join(struct.pack(f"<{MERGES}H", *column) for column in columns)
    (pathlib.Path(__file__).parent / "merges.bin").write_bytes(data)


if __name__ == "__main__":
    main()
