"""Kaldi data directories, archives, corpora and torch datasets."""

from silvertalk.data.archive import read_rows
from silvertalk.data.kaldi import (
    Utterance,
    iter_data_dir,
    iter_scp,
    read_data_dir,
    read_scp,
    shard,
    subset_data_dir,
    validate_data_dir,
    write_data_dir,
    write_scp,
)
from silvertalk.data.parts import PartWriter, combine_parts

__all__ = [
    "PartWriter",
    "Utterance",
    "combine_parts",
    "iter_data_dir",
    "iter_scp",
    "read_data_dir",
    "read_rows",
    "read_scp",
    "shard",
    "subset_data_dir",
    "validate_data_dir",
    "write_data_dir",
    "write_scp",
]
