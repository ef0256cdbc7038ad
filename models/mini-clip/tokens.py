"""The token table's file, tokens.bin (docs/models.md)."""

import struct

import numpy as np

TOKENS_MAGIC = b"RTOK"
TOKENS_VERSION = 1


def pack_tokens(ids: np.ndarray, scales: np.ndarray, rows: np.ndarray) -> bytes:
    """tokens.bin, little-endian: "RTOK", u32 version, u32 row count, u32 width, u32 ids[rows] ascending,
    f32 scales[rows], i8 rows[rows * width]. A row's embedding is its scale times its bytes."""
    header = TOKENS_MAGIC + struct.pack("<3I", TOKENS_VERSION, *rows.shape)
    return header + ids.astype("<u4").tobytes() + scales.astype("<f4").tobytes() + rows.astype("i1").tobytes()


def unpack_tokens(data: bytes) -> tuple[np.ndarray, np.ndarray]:
    """ids [rows] and f32 embeddings [rows, width] of a tokens.bin."""
    version, count, width = struct.unpack_from("<3I", data, 4)
    expected = 16 + count * (8 + width)
    if data[:4] != TOKENS_MAGIC or version != TOKENS_VERSION or len(data) != expected:
        raise SystemExit(f"tokens.bin: {len(data)} bytes, version {version}; expected {expected}, {TOKENS_VERSION}")
    ids = np.frombuffer(data, "<u4", count, 16)
    scales = np.frombuffer(data, "<f4", count, 16 + 4 * count)
    rows = np.frombuffer(data, "i1", count * width, 16 + 8 * count).reshape(count, width)
    return ids, rows * scales[:, None]
