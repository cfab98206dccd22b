"""Every configuration is one that its training takes."""

from pathlib import Path

import pytest
import yaml

from silvertalk.bin.train import get_parser

ROOT = Path(__file__).parents[2]
CONFIGS = sorted(
    path for folder in (ROOT / "conf", *ROOT.glob("egs/*/*/conf")) for path in folder.rglob("*_makeittalk_*.yaml")
)  # fmt: skip


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: "-".join(path.parts[-3:]))
def test_training_takes_it(path):
    task = path.stem.split("makeittalk_")[1].split("_")[0]
    sets = ("train_dirs", "valid_dirs") if task == "autovc" else ("train_dir", "valid_dir")
    folders = [f"--{name}=[x]" if task == "autovc" else f"--{name}=x" for name in sets]
    options = get_parser(f"makeittalk_{task}").parse_args([f"--config={path}", *folders, "--exp_dir=x"])
    for section, values in yaml.safe_load(path.read_text()).items():
        for name, value in values.items():
            assert vars(options[section])[name] == pytest.approx(value), (section, name)


def test_published_sizes_are_the_defaults():
    from silvertalk.makeittalk import networks

    for task, kind in (("content", "ContentBranch"), ("speaker", "SpeakerBranch"), ("translation", "ImageTranslation")):
        model = yaml.safe_load((ROOT / f"conf/train_makeittalk_{task}.yaml").read_text())["model"]
        sizes = getattr(networks, kind)().options
        assert all(sizes[name] == value for name, value in model.items() if name != "dropout")


def test_512_pixels_differ_in_size_and_batch_alone():
    base, large = (
        yaml.safe_load((ROOT / f"conf/train_makeittalk_translation{size}.yaml").read_text()) for size in ("", "_512")
    )
    assert (large["data"].pop("img_size"), large["model"].pop("num_downs")) == (512, 7)
    assert large["data"].pop("batch_size") * large["trainer"].pop("accum_grad") == base["data"].pop("batch_size")
    del base["data"]["img_size"], base["model"]["num_downs"]
    assert large == base
