"""What lies in an experiment folder; reading it needs neither torch nor Lightning."""

import os
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import yaml

from silvertalk.utils.files import write_text


def save_config(exp_dir: str | os.PathLike, config: Mapping) -> None:
    """Write the resolved configuration beside the checkpoints."""
    write_text(Path(exp_dir) / "config.yaml", yaml.safe_dump(dict(config), sort_keys=False, allow_unicode=True))


def load_config(exp_dir: str | os.PathLike) -> dict:
    """Read the configuration of an experiment.

    Raises:
        FileNotFoundError: Not an experiment folder.
    """
    path = Path(exp_dir) / "config.yaml"
    if not path.is_file():
        raise FileNotFoundError(f"no {path}; name a folder made by a training stage")
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def find_weights(exp_dir: str | os.PathLike) -> Path:
    """Choose the weights of an experiment: the average of the best, else the best, else the latest.

    Raises:
        FileNotFoundError: Nothing has been trained there.
    """
    for pattern in ("*.ave_*best.pth", "*.best.pth", "latest.pth"):
        found = sorted(Path(exp_dir).glob(pattern))
        if found:
            return found[0]
    raise FileNotFoundError(f"no weights in {exp_dir}; run its training stage")


def resolved(**sections) -> dict:
    """Make a plain dictionary of keyword sections, dataclasses included."""
    return {key: asdict(value) if hasattr(value, "__dataclass_fields__") else value for key, value in sections.items()}
