"""A tiny voice with random weights, made from the mini training YAML."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from silvertalk.tts.training.config import UPSAMPLING, load_train_config

ROOT = Path(__file__).resolve().parents[2]
TOKENS = ["<blank>", "<unk>", "<space>", *"abdeilnotuw", "<sos/eos>"]


@pytest.fixture(scope="session")
def build_model():
    """A function (config, sampling_rate, hop_length, *options, tokens) -> (ESPnet arguments, model), as in stage 7."""
    from espnet2.tasks.gan_tts import GANTTSTask
    from espnet2.tasks.tts import TTSTask

    def build(config: Path, sampling_rate: int, hop_length: int, *options: str, tokens: list[str] = TOKENS):
        model = load_train_config(config)["tts"]
        task = GANTTSTask if model in UPSAMPLING else TTSTask
        command = ["--config", str(config), "--token_type", "char", "--cleaner", "none", "--g2p", "none"]
        command += ["--normalize", "none", "--feats_extract", "linear_spectrogram" if model == "vits" else "fbank"]
        if task is GANTTSTask:
            command += ["--tts_conf", f"sampling_rate={sampling_rate}"]
        for extractor in ("feats", "pitch", "energy") if model in ("jets", "fastspeech2") else ("feats",):
            rate = [] if model == "vits" else [f"fs={sampling_rate}"]
            for feature in (*rate, "n_fft=1024", f"hop_length={hop_length}"):
                command += [f"--{extractor}_extract_conf", feature]
        arguments = task.get_parser().parse_args([*command, *options])
        arguments.token_list = list(tokens)
        return arguments, task.build_model(arguments)

    return build


@pytest.fixture(scope="session")
def warm_python(tmp_path_factory):
    """A `python` for SILVERTALK_PYTHON that need not import ESPnet for every command."""
    folder = tmp_path_factory.mktemp("warm")
    script = Path(__file__).with_name("warm_python.py")
    program, place = folder / "python", folder / "socket"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -S -E "{script}" run "{place}" "$@"\n')
    program.chmod(0o755)
    command = [sys.executable, script, "serve", place]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, text=True) as server:
        while (line := server.stdout.readline()) != "ready\n":  # ESPnet's imports print, too
            assert line, "the server did not start"
        yield program
        server.stdin.close()


@pytest.fixture(scope="session")
def tiny_voice(build_model, tmp_path_factory) -> Path:
    """An experiment folder as stage 7 leaves it."""
    import torch
    from espnet2.utils.yaml_no_alias_safe_dump import yaml_no_alias_safe_dump

    exp_dir = tmp_path_factory.mktemp("tts_tiny")
    sizes = {"adim": 16, "eunits": 16, "dunits": 16, "elayers": 1, "dlayers": 1, "generator_channels": 16}
    options = [word for key, value in sizes.items() for word in ("--tts_conf", f"generator_params.{key}={value}")]
    torch.manual_seed(0)
    arguments, model = build_model(ROOT / "conf/mini/train_jets.yaml", 16000, 256, *options)
    # The predictor gives log(frames + 1); untrained it would say 0 frames for each character.
    duration = model.tts.generator.duration_predictor.linear
    torch.nn.init.zeros_(duration.weight)
    torch.nn.init.constant_(duration.bias, 2.0)
    torch.save(model.state_dict(), exp_dir / "1epoch.pth")
    (exp_dir / "latest.pth").symlink_to("1epoch.pth")
    (exp_dir / "config.yaml").write_text(yaml_no_alias_safe_dump(vars(arguments)))
    return exp_dir
