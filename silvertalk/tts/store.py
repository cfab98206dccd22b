"""A trained voice as a small folder: what speaks, without what only training needs."""

import logging
import os
import shutil
from pathlib import Path

import yaml

from silvertalk.tts.espnet import build_model
from silvertalk.tts.experiment import ONLY_TRAINED_WITH, WEIGHTS, find_checkpoint, load_weights, resolve_config
from silvertalk.tts.frontend import FILE as TEXT_FILE
from silvertalk.tts.vocoder import CONFIG as VOCODER_CONFIG
from silvertalk.tts.vocoder import find_vocoder, note_vocoder
from silvertalk.utils import atomic_path, write_text

# Entries of ESPnet's config.yaml that say what the voice is; the others are paths of the corpus and the training.
FEATURES = ("feats", "pitch", "energy")
CONFIG = ("version", "tts", "tts_conf", "model_conf", "odim", "init", "token_list")
CONFIG += ("use_preprocessor", "token_type", "bpemodel", "non_linguistic_symbols", "cleaner", "g2p")
CONFIG += tuple(f"{feature}_extract{end}" for feature in FEATURES for end in ("", "_conf"))
NORMALISATIONS = ("normalize", "pitch_normalize", "energy_normalize")
SPEAKERS = ("spk2sid", "lang2lid", "spk_embed.ark")
VOCODER = "vocoder"  # folder


def store_voice(exp_dir: str, out: str, checkpoint: str | None = None) -> None:
    """Store a voice in half precision, without discriminators and the corpus' paths.

    Args:
        exp_dir: Experiment folder of a trained voice.
        out: Folder to write; it speaks as --exp or --tts_exp, and begins a training as --init_tts.
        checkpoint: Weights; leave out for the averaged ones.
    """
    from safetensors.torch import save

    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    weights = load_weights(checkpoint or find_checkpoint(exp_dir))
    kept = {
        key: value.half().contiguous() if value.is_floating_point() else value.contiguous()
        for key, value in weights.items()
        if not key.startswith(ONLY_TRAINED_WITH)
    }
    with atomic_path(folder / WEIGHTS) as temporary:
        Path(temporary).write_bytes(save(kept))  # save_file would let nobody else read it
    config = resolve_config(exp_dir)
    stored = {name: config[name] for name in CONFIG if name in config}
    for name in NORMALISATIONS:
        stored[name] = config.get(name)
        stored[f"{name}_conf"] = _with_own_statistics(config.get(f"{name}_conf") or {}, folder)
    write_text(folder / "config.yaml", yaml.safe_dump(stored, sort_keys=False, allow_unicode=True))
    for name in (TEXT_FILE, *SPEAKERS):
        if (Path(exp_dir) / name).is_file():
            _copy(Path(exp_dir) / name, folder)
    if vocoder := find_vocoder(exp_dir):
        for path in (vocoder, vocoder.with_name(VOCODER_CONFIG)):
            _copy(path, folder / VOCODER)
        note_vocoder(folder, vocoder, Path(VOCODER, vocoder.name))
    size = sum(path.stat().st_size for path in folder.rglob("*"))
    logging.info("%s: %d numbers, %.1f MB", folder, sum(value.numel() for value in kept.values()), size / 1e6)


def unpack_weights(exp_dir: str | os.PathLike, out: str | os.PathLike) -> None:
    """Write the weights of a stored voice as ESPnet reads them; what only training needs gets start values.

    Args:
        exp_dir: Folder of the stored voice.
        out: The .pth to write.

    Raises:
        ValueError: The weights are another model's.
    """
    import torch

    model = build_model(resolve_config(exp_dir))
    load_stored(model, Path(exp_dir) / WEIGHTS)
    with atomic_path(out) as temporary:
        torch.save(model.state_dict(), temporary)


def load_stored(model, checkpoint: Path) -> None:
    """Load weights that ``store_voice`` wrote, which hold no discriminators.

    Args:
        model: ESPnet's model of the voice.
        checkpoint: The safetensors.

    Raises:
        ValueError: They are another model's.
    """
    found = model.load_state_dict(load_weights(checkpoint), strict=False)
    wrong = [*found.unexpected_keys, *(key for key in found.missing_keys if not key.startswith(ONLY_TRAINED_WITH))]
    if wrong:
        raise ValueError(f"{checkpoint} does not fit the config.yaml beside it: {wrong[0]} and {len(wrong) - 1} more")


def _with_own_statistics(options: dict, folder: Path) -> dict:
    """Copy the statistics that a normalisation names, and name the copy."""
    if "stats_file" not in options:
        return options
    _copy(Path(options["stats_file"]), folder)
    return {**options, "stats_file": Path(options["stats_file"]).name}


def _copy(path: Path, folder: Path) -> None:
    with atomic_path(folder / path.name) as temporary:
        shutil.copyfile(os.fspath(path), temporary)
