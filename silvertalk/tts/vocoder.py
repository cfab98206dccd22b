"""The vocoder of a voice that draws mel spectrograms, which is part of the voice: its folder says which one it is.

Stage 8 notes the ParallelWaveGAN checkpoint that it speaks with in ``vocoder.yaml`` beside the weights, and whatever
loads the voice later speaks with it. Without that file spectrograms become sound by Griffin-Lim.
"""

import hashlib
import os
from pathlib import Path

import yaml

from silvertalk.tts.experiment import resolve_config
from silvertalk.tts.training.config import UPSAMPLING
from silvertalk.utils import write_text

FILE = "vocoder.yaml"
GRIFFIN_LIM = "none"
CONFIG = "config.yml"  # ParallelWaveGAN's, beside its checkpoint
FEATURES = {"sampling_rate": "fs", "hop_size": "hop_length", "num_mels": "n_mels"}  # its names: ESPnet's
NEXT_STEP = "run stage 8 with --vocoder_file once more, or remove {} for Griffin-Lim"


def choose_vocoder(exp_dir: str | os.PathLike, vocoder_file: str = "") -> Path | None:
    """Choose a vocoder and note it in the folder of the voice.

    Args:
        exp_dir: Experiment folder of the voice.
        vocoder_file: See ``find_vocoder``; what was noted stays when nothing is given.

    Returns:
        The checkpoint that the voice speaks with; None: Griffin-Lim.

    Raises:
        FileNotFoundError: A file is missing.
        ValueError: The vocoder is another than the noted one, or none for this voice.
        RuntimeError: Its package is not installed.
    """
    vocoder = find_vocoder(exp_dir, vocoder_file)
    if vocoder:
        check_vocoder(resolve_config(exp_dir), vocoder)
    if vocoder_file == GRIFFIN_LIM:
        (Path(exp_dir) / FILE).unlink(missing_ok=True)
    elif vocoder_file:
        note_vocoder(exp_dir, vocoder, vocoder)
    return vocoder


def note_vocoder(exp_dir: str | os.PathLike, vocoder: Path, place: Path) -> None:
    """Write ``vocoder.yaml``.

    Args:
        exp_dir: Folder of the voice.
        vocoder: The checkpoint.
        place: Where it will be found: absolute, or relative to the folder.
    """
    write_text(Path(exp_dir) / FILE, yaml.safe_dump({"vocoder_file": str(place), "sha256": _sha256(vocoder)}))


def find_vocoder(exp_dir: str | os.PathLike, vocoder_file: str | os.PathLike | None = None) -> Path | None:
    """Tell which vocoder a voice speaks with.

    Args:
        exp_dir: Folder of the voice.
        vocoder_file: ParallelWaveGAN's checkpoint (.pkl), or ``none``: Griffin-Lim; leave out for what was noted.

    Returns:
        Its absolute name; None: Griffin-Lim, or the voice makes sound itself.

    Raises:
        FileNotFoundError: What was noted is gone.
        ValueError: It is not the one with which the voice was heard.
    """
    if vocoder_file:
        return None if vocoder_file == GRIFFIN_LIM else Path(vocoder_file).absolute()
    record = Path(exp_dir) / FILE
    if not record.is_file():
        return None
    noted = yaml.safe_load(record.read_text(encoding="utf-8"))
    if not isinstance(noted, dict) or noted.keys() != {"vocoder_file", "sha256"}:
        raise ValueError(f"{record} does not say vocoder_file and sha256; {NEXT_STEP.format(record)}")
    vocoder = Path(exp_dir).absolute() / noted["vocoder_file"]
    for path in (vocoder, vocoder.with_name(CONFIG)):
        if not path.is_file():
            raise FileNotFoundError(f"no {path}, which {record} names; put it back, {NEXT_STEP.format(record)}")
    if _sha256(vocoder) != noted["sha256"]:
        raise ValueError(f"{vocoder} is another vocoder than {record} noted; {NEXT_STEP.format(record)}")
    return vocoder


def check_vocoder(config: dict, vocoder: Path) -> None:
    """Check that a vocoder can make the spectrograms of a voice sound.

    Args:
        config: The voice's config.yaml.
        vocoder: ParallelWaveGAN's checkpoint.

    Raises:
        FileNotFoundError: It, or its configuration, is missing.
        ValueError: It is no checkpoint of ParallelWaveGAN, or not one for this voice.
        RuntimeError: ParallelWaveGAN is not installed.
    """
    if config["tts"] in UPSAMPLING:
        raise ValueError(
            f"--vocoder_file is for models of spectrograms; {config['tts']} makes sound itself: leave it out"
        )
    if vocoder.suffix != ".pkl":
        raise ValueError(f"{vocoder}: ESPnet knows a vocoder of ParallelWaveGAN by its suffix .pkl")
    for path in (vocoder, vocoder.with_name(CONFIG)):
        if not path.is_file():
            raise FileNotFoundError(
                f"no {path}; give --vocoder_file a checkpoint of ParallelWaveGAN beside its {CONFIG}"
            )
    own, wanted = config.get("feats_extract_conf") or {}, yaml.safe_load(vocoder.with_name(CONFIG).read_text("utf-8"))
    for theirs, ours in FEATURES.items():
        if theirs in wanted and ours in own and wanted[theirs] != own[ours]:
            raise ValueError(
                f"{vocoder.with_name(CONFIG)} has {theirs} {wanted[theirs]}, the voice {ours} {own[ours]}: name a"
                " vocoder that was trained on the features of this voice"
            )
    try:
        import parallel_wavegan  # noqa: F401
    except ImportError as error:
        raise RuntimeError(
            f"{vocoder} needs the package parallel_wavegan ({error}): install it, or leave the vocoder out for"
            " Griffin-Lim"
        ) from error


def _sha256(vocoder: Path) -> str:
    """Of the checkpoint and its configuration."""
    digest = hashlib.sha256()
    for path in (vocoder, vocoder.with_name(CONFIG)):
        digest.update(path.read_bytes())
    return digest.hexdigest()
