"""Checks of a GAN-TTS training YAML before anything is trained with it."""

import math
import os
from pathlib import Path

import yaml


def load_train_config(path: str | os.PathLike) -> dict:
    """Read an ESPnet training YAML.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The file is not a YAML mapping.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f"no {path}; give --tts_config an existing YAML file")
    try:
        config = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise ValueError(f"{path} is no valid YAML: {' '.join(str(error).split())}") from error
    if not isinstance(config, dict):
        raise ValueError(f"{path} is not a mapping of options; see conf/train_jets.yaml")
    return config


def check_train_config(config: dict, sampling_rate: int, hop_length: int, name: str = "config") -> None:
    """Check that the model's upsampling and losses fit the recipe's features.

    JETS' vocoder makes ``prod(generator_upsample_scales)`` samples of each
    frame; with another hop length sound and text drift apart, which ESPnet
    only reports after the data have been read.

    Args:
        config: Training YAML as a dictionary.
        sampling_rate: Hz of the audio in ``dump/raw``.
        hop_length: Samples from frame to frame.
        name: The file's name for the messages.

    Raises:
        ValueError: The values do not fit; the message says which to change.
    """
    generator = generator_params(config)
    scales = generator.get("generator_upsample_scales", [8, 8, 2, 2])
    kernels = generator.get("generator_upsample_kernel_sizes", [16, 16, 4, 4])
    factor = math.prod(scales)
    if factor != hop_length:
        product = " * ".join(map(str, scales))
        raise ValueError(
            f"{name}: generator_upsample_scales {product} = {factor} samples per frame, but --hop_length is"
            f" {hop_length}; they must be equal: change one of them"
        )
    if len(kernels) != len(scales):
        raise ValueError(
            f"{name}: {len(scales)} generator_upsample_scales but {len(kernels)} generator_upsample_kernel_sizes"
        )
    loss_rate = config.get("tts_conf", {}).get("mel_loss_params", {}).get("fs", sampling_rate)
    if loss_rate != sampling_rate:
        raise ValueError(
            f"{name}: mel_loss_params.fs is {loss_rate} Hz, but --fs is {sampling_rate}; they must be equal:"
            " change one of them"
        )


def generator_params(config: dict) -> dict:
    """Return the settings of the JETS generator, {} for those left at ESPnet's defaults."""
    return config.get("tts_conf", {}).get("generator_params", {})


def min_num_samples(config: dict, hop_length: int) -> int:
    """Return the shortest utterance, in samples, from which a training segment can be cut."""
    return int(generator_params(config).get("segment_size", 64)) * hop_length
