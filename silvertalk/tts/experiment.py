"""The folder of an ESPnet experiment: which checkpoint to use, and mending one after a kill."""

import logging
import os
import shutil
import zipfile
from pathlib import Path

import yaml

from silvertalk.utils import atomic_path

WEIGHTS = "model.safetensors"  # of a stored voice
ONLY_TRAINED_WITH = "tts.discriminator."  # beginning of names that it does not hold
NEXT_STEP = "run stages 5 to 7, or name the folder of a trained voice"


def find_checkpoint(exp_dir: str | os.PathLike) -> Path:
    """Choose the weights of an experiment: averaged ones first, then the latest.

    Args:
        exp_dir: Folder with ``config.yaml`` and ``*.pth``.

    Raises:
        FileNotFoundError: There is no experiment or it has no weights yet.
    """
    exp_dir = Path(exp_dir)
    if not (exp_dir / "config.yaml").is_file():
        raise FileNotFoundError(_no_experiment(exp_dir))
    averages = ("train.total_count.ave_5best.pth", "train.total_count.ave*.pth", "train.loss.ave*.pth", "*.ave*.pth")
    for pattern in (WEIGHTS, *averages, "latest.pth"):
        # A link of which the target was removed does not exist.
        found = sorted(path for path in exp_dir.glob(pattern) if path.exists())
        if found:
            return found[-1]
    raise FileNotFoundError(f"{exp_dir} holds no weights (*.ave*.pth, latest.pth or {WEIGHTS}); run stage 7")


def load_weights(checkpoint: str | os.PathLike) -> dict:
    """Read the weights of a voice: a .pth of ESPnet, or safetensors, whose half precision becomes single.

    Returns:
        State dict with names as in ESPnet's model (``tts.generator...``).

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The file is not a state dict of a voice.
    """
    import torch

    path = Path(checkpoint)
    if not path.is_file():
        raise FileNotFoundError(f"no {path}; name weights (*.pth) or the folder of a trained voice")
    if path.suffix == ".safetensors":
        from safetensors.torch import load_file

        states = load_file(path)
    else:
        # ESPnet's own checkpoint.pth holds the optimiser, too.
        states = torch.load(path, map_location="cpu", weights_only=path.name != "checkpoint.pth")
        states = states.get("model", states)
    if not any(key.startswith("tts.") for key in states):
        raise ValueError(f"{path} holds no voice of ESPnet: none of its {len(states)} names begins with tts.")
    return {key: value.float() if value.is_floating_point() else value for key, value in states.items()}


def resolve_config(exp_dir: str | os.PathLike) -> dict:
    """Read ``config.yaml`` with names of files that hold from any working directory.

    ESPnet stores the names of the statistics (mean and variance of features,
    pitch and energy) as they were typed, relative to the recipe's folder.

    Args:
        exp_dir: Experiment folder. The statistics are looked for in it first,
            so that it can be moved alone.

    Raises:
        FileNotFoundError: ``config.yaml`` or a statistics file is missing.
    """
    exp_dir = Path(exp_dir).absolute()
    if not (exp_dir / "config.yaml").is_file():
        raise FileNotFoundError(_no_experiment(exp_dir))
    config = yaml.safe_load((exp_dir / "config.yaml").read_text(encoding="utf-8"))
    for name in ("normalize_conf", "pitch_normalize_conf", "energy_normalize_conf"):
        stored = (config.get(name) or {}).get("stats_file")
        if stored is None:
            continue
        places = [exp_dir / Path(stored).name, Path(stored), *(parent / stored for parent in exp_dir.parents)]
        found = next((place for place in places if place.is_file()), None)
        if found is None:
            raise FileNotFoundError(
                f"no {exp_dir}/{Path(stored).name}, which {exp_dir}/config.yaml names; copy it there"
            )
        config[name]["stats_file"] = str(found.absolute())
    return config


def _no_experiment(exp_dir: Path) -> str:
    """Say what is wrong with a folder that holds no voice."""
    if exp_dir.is_file():
        return f"{exp_dir} is a file; unpack it and name the folder with config.yaml in it (exp/tts_...)"
    return f"no {exp_dir}/config.yaml; {NEXT_STEP}"


def repair_experiment(exp_dir: str | os.PathLike) -> None:
    """Make an experiment whose training was killed resumable.

    ESPnet writes ``checkpoint.pth``, then ``Nepoch.pth``, each straight to its
    final name, so a kill leaves one of them cut or the second one missing:

    - ``Nepoch.pth`` cut or missing: written again from ``checkpoint.pth``
      (the n-best average at the end needs it).
    - ``checkpoint.pth`` cut: no optimizer state is left. The weights of the
      last whole epoch become ``restart.pth``, from which a new training starts.

    Args:
        exp_dir: Experiment folder; nothing is done when it holds no checkpoint.
    """
    import torch

    exp_dir = Path(exp_dir)
    checkpoint = exp_dir / "checkpoint.pth"
    epochs = {int(path.name.removesuffix("epoch.pth")): path for path in exp_dir.glob("[0-9]*epoch.pth")}
    if not checkpoint.exists():
        return
    if not zipfile.is_zipfile(checkpoint):
        _restart_from_weights(exp_dir, epochs)
        return
    states = torch.load(checkpoint, map_location="cpu", weights_only=False)
    epoch = states["reporter"]["epoch"]
    path = exp_dir / f"{epoch}epoch.pth"
    if path.exists() and zipfile.is_zipfile(path):
        return
    logging.warning("%s was cut off or missing; written again from checkpoint.pth", path)
    with atomic_path(path) as temporary:
        torch.save(states["model"], temporary)
    latest = exp_dir / "latest.pth"
    latest.unlink(missing_ok=True)
    latest.symlink_to(path.name)


def _restart_from_weights(exp_dir: Path, epochs: dict[int, Path]) -> None:
    """Set the remains aside and keep the last whole epoch's weights as ``restart.pth``."""
    whole = [epoch for epoch, path in sorted(epochs.items()) if zipfile.is_zipfile(path)]
    restart = exp_dir / "restart.pth"
    if whole:
        with atomic_path(restart) as temporary:
            shutil.copyfile(epochs[whole[-1]], temporary)
        kept = f"the training starts anew from the weights of epoch {whole[-1]}"
    elif restart.exists():
        kept = "the training starts anew from the weights it started from before"
    else:
        kept = "the training starts anew"
    logging.warning("%s/checkpoint.pth was cut off while being written; %s", exp_dir, kept)
    # checkpoint.pth goes last: until then a kill leads here again.
    for path in [*epochs.values(), exp_dir / "checkpoint.pth"]:
        path.unlink(missing_ok=True)
