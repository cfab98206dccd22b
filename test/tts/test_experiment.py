"""Choosing a checkpoint, and mending what a kill left."""

import pytest
import torch

from silvertalk.tts import find_checkpoint, repair_experiment, resolve_config


def test_averages_come_before_the_latest(tmp_path):
    with pytest.raises(FileNotFoundError, match="config.yaml"):
        find_checkpoint(tmp_path)
    (tmp_path / "config.yaml").touch()
    with pytest.raises(FileNotFoundError, match="no weights"):
        find_checkpoint(tmp_path)
    names = ("latest.pth", "valid.loss.ave_3best.pth", "train.loss.ave_3best.pth", "train.total_count.ave_5best.pth")
    for name in names:
        (tmp_path / name).touch()
        assert find_checkpoint(tmp_path).name == name


def test_a_link_without_target_is_no_checkpoint(tmp_path):
    (tmp_path / "config.yaml").touch()
    (tmp_path / "valid.loss.ave.pth").symlink_to("gone.pth")
    (tmp_path / "latest.pth").touch()
    assert find_checkpoint(tmp_path).name == "latest.pth"


def test_statistics_are_found_wherever_the_voice_is_used_from(tmp_path, monkeypatch):
    exp_dir = tmp_path / "recipe/exp/tts"
    stats = tmp_path / "recipe/exp/stats/feats_stats.npz"
    exp_dir.mkdir(parents=True)
    stats.parent.mkdir()
    (exp_dir / "config.yaml").write_text("normalize_conf: {stats_file: exp/stats/feats_stats.npz}\n")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileNotFoundError, match="feats_stats.npz"):
        resolve_config("recipe/exp/tts")
    stats.touch()
    assert resolve_config("recipe/exp/tts")["normalize_conf"]["stats_file"] == str(stats)
    (exp_dir / "feats_stats.npz").touch()
    assert resolve_config("recipe/exp/tts")["normalize_conf"]["stats_file"] == str(exp_dir / "feats_stats.npz")


def test_a_voice_in_the_layout_of_espnets_zoo(tmp_path, monkeypatch):
    # As a model's archive unpacks: names in config.yaml begin at its root.
    exp_dir = tmp_path / "zoo/exp/tts_train_jets_raw_phn_tacotron_g2p_en_no_space"
    exp_dir.mkdir(parents=True)
    stats = [f"exp/tts_stats_raw_phn_tacotron_g2p_en_no_space/train/{kind}_stats.npz" for kind in ("feats", "pitch")]
    for name in stats:
        (tmp_path / "zoo" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "zoo" / name).touch()
    (exp_dir / "config.yaml").write_text(
        f"tts: jets\nnormalize_conf: {{stats_file: {stats[0]}}}\npitch_normalize_conf: {{stats_file: {stats[1]}}}\n"
        "energy_normalize_conf: {}\n"
    )
    (exp_dir / "train.total_count.ave_5best.pth").touch()
    monkeypatch.chdir(tmp_path)
    config = resolve_config(exp_dir)
    assert config["normalize_conf"]["stats_file"] == str(tmp_path / "zoo" / stats[0])
    assert config["pitch_normalize_conf"]["stats_file"] == str(tmp_path / "zoo" / stats[1])
    assert find_checkpoint(exp_dir).name == "train.total_count.ave_5best.pth"


def test_an_archive_is_not_a_voice(tmp_path):
    archive = tmp_path / "tts_train_jets.zip"
    archive.touch()
    for function in (resolve_config, find_checkpoint):
        with pytest.raises(FileNotFoundError, match="is a file; unpack it"):
            function(archive)


@pytest.fixture
def experiment(tmp_path):
    """Two whole epochs, as ESPnet leaves them."""
    for epoch in (1, 2):
        torch.save({"w": torch.full((3,), float(epoch))}, tmp_path / f"{epoch}epoch.pth")
    torch.save({"model": {"w": torch.full((3,), 2.0)}, "reporter": {"epoch": 2}}, tmp_path / "checkpoint.pth")
    (tmp_path / "latest.pth").symlink_to("2epoch.pth")
    return tmp_path


def cut(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_nothing_is_changed_when_all_is_whole(experiment):
    before = contents(experiment)
    repair_experiment(experiment)
    assert contents(experiment) == before


@pytest.mark.parametrize("cut_off", [True, False])
def test_weights_of_an_epoch_are_written_again(experiment, cut_off):
    path = experiment / "2epoch.pth"
    if cut_off:
        cut(path)
    else:  # killed between checkpoint.pth and 2epoch.pth
        path.unlink()
        (experiment / "latest.pth").unlink()
        (experiment / "latest.pth").symlink_to("1epoch.pth")
    repair_experiment(experiment)
    assert torch.load(experiment / "latest.pth")["w"].tolist() == [2.0] * 3


def test_a_cut_checkpoint_leaves_its_last_weights_to_start_from(experiment):
    cut(experiment / "checkpoint.pth")
    cut(experiment / "2epoch.pth")
    repair_experiment(experiment)
    assert not (experiment / "checkpoint.pth").exists()
    assert not list(experiment.glob("*epoch.pth"))
    assert torch.load(experiment / "restart.pth")["w"].tolist() == [1.0] * 3


def test_a_new_experiment_needs_no_mending(tmp_path):
    repair_experiment(tmp_path)
    assert list(tmp_path.iterdir()) == []
