"""Checks of a voice's training YAML before anything is trained with it."""

import math
import os
from collections.abc import Iterable
from pathlib import Path

import yaml

MODELS = ("jets", "vits", "tacotron2", "fastspeech2")  # that stage 7 trains
UPSAMPLING = {"jets": "generator", "vits": "decoder"}  # what the names of their vocoders' options begin with
SHORTEST = 32  # frames; also for models that take whole utterances, so that all models can share stage 6
EXTRACTORS = ("feats_extract", "pitch_extract", "energy_extract")


def load_train_config(path: str | os.PathLike, options: str = "") -> dict:
    """Read an ESPnet training YAML.

    Args:
        path: The file.
        options: What the command line changes of it, as for ESPnet: ``--max_epoch 20 --tts_conf adim=64``.

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
    _change(config, options.split())
    return config


def _change(config: dict, words: Iterable[str]) -> None:
    """Apply command line options; ESPnet adds ``--NAME_conf KEY.KEY=VALUE`` to what NAME_conf holds."""
    words = iter(words)
    for word in words:
        name, _, value = word.removeprefix("--").partition("=")
        value = value or next(words, "")
        keys = [name]
        if name.endswith("_conf") and "=" in value:
            path, _, value = value.partition("=")
            keys += path.split(".")
        place = config
        for key in keys[:-1]:
            if not isinstance(place.get(key), dict):
                place[key] = {}
            place = place[key]
        place[keys[-1]] = None if value == "none" else yaml.safe_load(value)


def check_train_config(
    config: dict, sampling_rate: int, hop_length: int, name: str = "config", n_fft: int | None = None
) -> None:
    """Check that the model, its losses and its schedule fit the recipe's features and each other.

    ESPnet reports such things only after the data have been read, or not at all: a vocoder that makes another number
    of samples of a frame than the hop length lets sound and text drift apart.

    Args:
        config: Training YAML as a dictionary.
        sampling_rate: Hz of the audio in ``dump/raw``.
        hop_length: Samples from frame to frame.
        name: The file's name for the messages.
        n_fft: Points of the features' Fourier transform; not checked if None.

    Raises:
        ValueError: The values do not fit; the message says which to change.
    """
    model = config.get("tts", "")
    if model not in MODELS:
        raise ValueError(f"{name} has tts: '{model}'; models that can be trained here: {', '.join(MODELS)}")
    if n_fft is not None and hop_length > n_fft:
        raise ValueError(
            f"--hop_length {hop_length} is longer than --n_fft {n_fft}: samples between two frames would not be"
            " heard; change one of them"
        )
    if model in UPSAMPLING:
        _check_upsampling(config, hop_length, name)
        _check_mel_loss(config, sampling_rate, hop_length, name)
    _check_tokens_or_frames(config, name)
    _check_schedule(config, name)


def _check_upsampling(config: dict, hop_length: int, name: str) -> None:
    """The vocoder makes ``prod(upsample_scales)`` samples of each frame."""
    part, generator = UPSAMPLING[config["tts"]], generator_params(config)
    scales = generator.get(f"{part}_upsample_scales", [8, 8, 2, 2])
    kernels = generator.get(f"{part}_upsample_kernel_sizes", [16, 16, 4, 4])
    factor = math.prod(scales)
    if factor != hop_length:
        product = " * ".join(map(str, scales))
        raise ValueError(
            f"{name}: {part}_upsample_scales {product} = {factor} samples per frame, but --hop_length is"
            f" {hop_length}; they must be equal: change one of them"
        )
    if len(kernels) != len(scales):
        raise ValueError(
            f"{name}: {len(scales)} {part}_upsample_scales but {len(kernels)} {part}_upsample_kernel_sizes"
        )
    if kernels != [2 * scale for scale in scales]:
        raise ValueError(
            f"{name}: {part}_upsample_kernel_sizes {kernels} are not twice {part}_upsample_scales {scales}, as"
            " ESPnet's HiFi-GAN needs; change the kernels"
        )


def _check_mel_loss(config: dict, sampling_rate: int, hop_length: int, name: str) -> None:
    """The loss hears the sound at its own rate, in windows that must fit into a training segment."""
    loss = config.get("tts_conf", {}).get("mel_loss_params", {})
    if loss.get("fs", sampling_rate) != sampling_rate:
        raise ValueError(
            f"{name}: mel_loss_params.fs is {loss['fs']} Hz, but --fs is {sampling_rate}; they must be equal:"
            " change one of them"
        )
    if (loss.get("fmax") or 0) > sampling_rate / 2:
        raise ValueError(
            f"{name}: mel_loss_params.fmax is {loss['fmax']} Hz, but --fs {sampling_rate} holds no more than"
            f" {sampling_rate // 2} Hz; lower it, or give null for all there is"
        )
    segment, window = min_num_samples(config, hop_length), loss.get("n_fft", 1024)
    if segment <= window // 2:
        raise ValueError(
            f"{name}: segment_size {segment // hop_length} * --hop_length {hop_length} = {segment} samples are too few"
            f" for mel_loss_params.n_fft {window}; more than {window // 2} are needed: raise segment_size"
        )


def _check_tokens_or_frames(config: dict, name: str) -> None:
    """JETS averages pitch and energy itself; FastSpeech 2 wants them averaged, in its own decoder steps."""
    if config["tts"] not in ("jets", "fastspeech2"):
        return
    averaged = config["tts"] == "fastspeech2"
    factor = config.get("tts_conf", {}).get("reduction_factor", 1)
    for extractor, option in (("pitch", "use_token_averaged_f0"), ("energy", "use_token_averaged_energy")):
        if not config.get(f"{extractor}_extract"):
            raise ValueError(f"{name} lacks {extractor}_extract, which {config['tts']} needs; see conf/train_jets.yaml")
        conf = config.get(f"{extractor}_extract_conf") or {}
        if conf.get(option, True) != averaged:
            raise ValueError(
                f"{name}: {extractor}_extract_conf.{option} is {str(not averaged).lower()}, but {config['tts']} needs"
                f" {str(averaged).lower()}; change it"
            )
        # ESPnet takes None for the model's own.
        if (conf.get("reduction_factor") or factor) != factor:
            raise ValueError(
                f"{name}: {extractor}_extract_conf.reduction_factor is {conf['reduction_factor']}, but"
                f" tts_conf.reduction_factor is {factor}; they must be equal: change one of them"
            )


def _check_schedule(config: dict, name: str) -> None:
    """Noam's schedule scales the learning rate by the width of the model."""
    if str(config.get("scheduler")).lower() != "noamlr":
        return
    size = config.get("scheduler_conf", {}).get("model_size")
    width = config.get("tts_conf", {}).get("adim", 384)
    if size != width:
        raise ValueError(
            f"{name}: scheduler_conf.model_size is {size}, but tts_conf.adim is {width}; they must be equal:"
            " change one of them"
        )


def check_stats(
    config: dict, stats_dir: str | os.PathLike, hop_length: int, ngpu: int = 0, name: str = "config"
) -> None:
    """Check that what stage 6 computed is what stage 7 is about to train on.

    Args:
        config: Training YAML with all of stage 7's options (``load_train_config``).
        stats_dir: Stage 6's folder.
        hop_length: Samples from frame to frame.
        ngpu: GPUs that share each batch.
        name: The YAML's name for the messages.

    Raises:
        ValueError: They differ; the message names both values.
    """
    stats_dir = Path(stats_dir)
    made = stats_dir / "logdir/stats.1/config.yaml"
    if made.is_file():
        _check_features(config, yaml.safe_load(made.read_text(encoding="utf-8")), stats_dir, name)
    shapes = stats_dir / "train/speech_shape"
    if not shapes.is_file():
        return
    lengths = {}
    for line in shapes.read_text(encoding="utf-8").splitlines():
        utt_id, shape = line.split(maxsplit=1)
        lengths[utt_id] = int(shape.split(",")[0])
    shortest, longest = min(lengths, key=lengths.get), max(lengths, key=lengths.get)
    segment = min_num_samples(config, hop_length)
    if lengths[shortest] < segment:
        raise ValueError(
            f"{stats_dir}: {shortest} has {lengths[shortest]} samples, but a training segment of {name} takes"
            f" {segment}; run stage 6 again (--stage 6 --overwrite true), or lower segment_size"
        )
    bins = config.get("batch_bins")
    if config.get("batch_type") == "numel" and bins is not None and bins < lengths[longest] * max(1, ngpu):
        raise ValueError(
            f"{name}: batch_bins {bins} hold less than {'one utterance' if ngpu < 2 else f'{ngpu} (--ngpu)'} of"
            f" {lengths[longest]} samples ({longest}); raise batch_bins or lower --max_wav_duration"
        )


def _check_features(config: dict, made: dict, stats_dir: Path, name: str) -> None:
    """Compare the extractors of both; a model may leave out pitch and energy that stage 6 computed."""
    for extractor in EXTRACTORS:
        if not config.get(extractor):
            continue
        old = {"": made.get(extractor)} | (made.get(f"{extractor}_conf") or {})
        new = {"": config[extractor]} | (config.get(f"{extractor}_conf") or {})
        for key, value in new.items():
            # ESPnet writes down every setting, also those nobody named.
            if key in old and old[key] != value:
                option = f"{extractor}_conf.{key}" if key else extractor
                raise ValueError(
                    f"{stats_dir} was made with {option} {old[key]}, but {name} and the options have {value}: run stage"
                    " 6 again (--stage 6 --overwrite true), name another --tts_stats_dir, or take the old value"
                )


def generator_params(config: dict) -> dict:
    """Return the settings of the generator of JETS or VITS, {} for those left at ESPnet's defaults."""
    return config.get("tts_conf", {}).get("generator_params", {})


def min_num_samples(config: dict, hop_length: int) -> int:
    """Return the shortest utterance, in samples, that can be trained on: a segment, for models that cut them."""
    default = 64 if config.get("tts") == "jets" else SHORTEST
    return int(generator_params(config).get("segment_size", default)) * hop_length
