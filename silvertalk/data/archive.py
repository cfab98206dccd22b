"""Parts of matrices in Kaldi archives."""

import os
import struct

import kaldiio
import numpy as np

# What precedes a matrix of Kaldi: magic, then the numbers of rows and columns, each with its size (4 bytes).
MATRIX_HEADER, FLOAT_MATRIX = struct.Struct("<5sbibi"), b"\0BFM "


def read_rows(place: str, first: int, last: int | None) -> np.ndarray:
    """Read rows [first, last) of a float matrix in an archive, and no others; those it has of them.

    Args:
        place: "file:offset", from a ``.scp`` file.
        first: 0 or more.
        last: As large as you like; None: to the end.

    Returns:
        float32 (at most last - first, D), to be read only.

    Raises:
        RuntimeError: The archive is cut short.
    """
    path, _, offset = place.rpartition(":")
    with open(path, "rb") as ark:
        ark.seek(int(offset))
        header = ark.read(MATRIX_HEADER.size)
        magic, _, rows, _, columns = MATRIX_HEADER.unpack(header) if len(header) == MATRIX_HEADER.size else (b"",) * 5
        if magic != FLOAT_MATRIX:  # of doubles, or compressed, as others write them
            return np.asarray(kaldiio.load_mat(place), np.float32)[first:last]
        first, last = min(first, rows), rows if last is None else min(last, rows)
        ark.seek(4 * first * columns, os.SEEK_CUR)
        values = ark.read(4 * (last - first) * columns)
    if len(values) < 4 * (last - first) * columns:
        raise RuntimeError(f"{path}: ends within a matrix; run the stage that wrote it again")
    return np.frombuffer(values, "<f4").reshape(-1, columns)
