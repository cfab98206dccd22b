"""What lies in an experiment folder; reading it needs neither torch nor Lightning."""

import os
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import yaml

from silvertalk.utils.files import write_text

# Beginning of an experiment's name: the stage that makes it.
TRAINED_BY = {
    "tts_": 7,
    "wav2lip_": 10,
    "makeittalk_autovc_": 11,
    "makeittalk_content_": 12,
    "makeittalk_speaker_": 13,
    "makeittalk_translation_": 14,
}


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


def newest_experiment(expdir: str | os.PathLike, prefix: str) -> Path:
    """Find the experiment of a kind that was trained last.

    Args:
        expdir: Folder of experiments, e.g. ``exp``.
        prefix: One of ``TRAINED_BY``.

    Raises:
        FileNotFoundError: There is none.
    """
    found = [
        path.parent for path in Path(expdir).glob(f"{prefix}*/latest.pth") if (path.parent / "config.yaml").is_file()
    ]
    if not found:
        stage = TRAINED_BY[prefix]
        raise FileNotFoundError(f"no trained {prefix}* in {expdir}; run stage {stage}, or name its folder")
    return max(found, key=lambda folder: (folder / "latest.pth").stat().st_mtime)


def resolved(**sections) -> dict:
    """Make a plain dictionary of keyword sections, dataclasses included."""
    return {key: asdict(value) if hasattr(value, "__dataclass_fields__") else value for key, value in sections.items()}
