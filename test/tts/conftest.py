"""A tiny voice with random weights, made from the mini training YAML."""

from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TOKENS = ["<blank>", "<unk>", "<space>", *"abdeilnotuw", "<sos/eos>"]


@pytest.fixture(scope="session")
def build_model():
    """A function (config, sampling_rate, hop_length, *options) -> (ESPnet arguments, model), as in stage 7."""
    from espnet2.tasks.gan_tts import GANTTSTask

    def build(config: Path, sampling_rate: int, hop_length: int, *options: str):
        command = ["--config", str(config), "--token_type", "char", "--cleaner", "none", "--g2p", "none"]
        command += ["--feats_extract", "fbank", "--tts_conf", f"sampling_rate={sampling_rate}"]
        for extractor in ("feats", "pitch", "energy"):
            for feature in (f"fs={sampling_rate}", "n_fft=1024", f"hop_length={hop_length}"):
                command += [f"--{extractor}_extract_conf", feature]
        arguments = GANTTSTask.get_parser().parse_args([*command, *options])
        arguments.token_list = TOKENS
        return arguments, GANTTSTask.build_model(arguments)

    return build


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
