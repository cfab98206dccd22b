"""Every configuration is one that its training takes, and the sizes differ in what has to differ."""

from pathlib import Path

import pytest
import yaml

from silvertalk.bin.train import get_parser
from silvertalk.syncnet.layers import IMG_SIZES

ROOT = Path(__file__).parents[2]
TASKS = ("syncnet", "wav2lip")
CONFIGS = sorted(
    path for folder in (ROOT / "conf", *ROOT.glob("egs/*/*/conf")) for path in folder.rglob("*.yaml")
    if any(task in path.name for task in TASKS)
)  # fmt: skip
BY_SIZE = {("model", "img_size"), ("data", "batch_size"), ("trainer", "accum_grad")}


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_training_takes_it(path):
    task = next(task for task in TASKS if task in path.name)
    folders = [f"--{name}=x" for name in ("train_dir", "valid_dir", "exp_dir")]
    options = get_parser(task).parse_args([f"--config={path}", *folders])
    given = yaml.safe_load(path.read_text())
    for section, values in given.items():
        for name, value in values.items():
            assert vars(options[section])[name] == pytest.approx(value), (section, name)


@pytest.mark.parametrize("name", ["train_syncnet", "train_wav2lip", "train_wav2lip_gan"])
def test_sizes_differ_in_size_and_batch_alone(name):
    base = yaml.safe_load((ROOT / f"conf/{name}.yaml").read_text())
    seen = base["data"]["batch_size"] * base["trainer"]["accum_grad"]
    for size in IMG_SIZES[1:]:
        config = yaml.safe_load((ROOT / f"conf/{name}_{size}.yaml").read_text())
        assert config["model"]["img_size"] == size
        assert config["data"]["batch_size"] * config["trainer"]["accum_grad"] == seen
        for section, option in BY_SIZE:
            config[section][option] = base[section][option]
        assert config == base


def test_unknown_key_in_a_configuration_is_refused(tmp_path, capsys):
    (tmp_path / "x.yaml").write_text("optim: {learning_rate: 1}\n")
    with pytest.raises(SystemExit):
        get_parser("wav2lip").parse_args(["--config", str(tmp_path / "x.yaml")])
    assert "learning_rate" in capsys.readouterr().err
