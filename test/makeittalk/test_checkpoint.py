"""Checkpoints: ours, and the published containers."""

import os

import numpy as np
import pytest
import torch

from silvertalk.makeittalk import networks
from silvertalk.makeittalk.checkpoint import (
    export_official,
    find_network,
    load_checkpoint,
    load_network,
    save_checkpoint,
)
from silvertalk.makeittalk.networks import AutoVC, ContentBranch, ImageTranslation, SpeakerBranch
from silvertalk.training.experiment import save_config

SMALL = {
    "AutoVC": {"num_mels": 8, "neck": 2, "emb": 4, "pre": 16, "num_f0": 5},
    "ContentBranch": {"in_size": 7, "hidden_size": 4},
    "SpeakerBranch": {"spk_emb_enc_size": 3, "hidden_size": 4, "d_model": 8, "ff_size": 4, "layers": 1, "z_size": 5},
    "ImageTranslation": {"in_channels": 7, "ngf": 1, "num_downs": 7},
    "LandmarkDiscriminator": {},
    "TransformerDiscriminator": {"spk_size": 3, "d_model": 8, "ff_size": 4, "layers": 3},
    "GruDiscriminator": {"comb_size": 3, "hidden_size": 4},
}
CONTAINERS = {"AutoVC": "model", "ContentBranch": "model_g_face_id", "SpeakerBranch": "G", "ImageTranslation": "G"}


def build(kind):
    return getattr(networks, kind)(**SMALL[kind]).eval()


def same(a, b):
    """Whether two networks have the same class, keys and weights."""
    a, b = ({k: v.cpu() for k, v in network.state_dict().items()} for network in (a, b))
    return list(a) == list(b) and all(torch.equal(a[key], b[key]) for key in a)


@pytest.mark.parametrize("kind", SMALL)
def test_a_file_of_ours_says_what_it_is(kind, tmp_path):
    network = build(kind)
    save_checkpoint(tmp_path / "1epoch.pth", network, step=7, epoch=1)
    loaded = load_checkpoint(tmp_path / "1epoch.pth")
    assert type(loaded) is type(network) and loaded.options == network.options and same(loaded, network)
    assert not loaded.training
    content = torch.load(tmp_path / "1epoch.pth", weights_only=True)
    assert (content["global_step"], content["global_epoch"], content["network"]) == (7, 1, kind)


@pytest.mark.parametrize("kind", SMALL)
def test_a_bare_state_dict_is_known_by_keys_and_shapes(kind):
    network = build(kind)
    loaded = load_checkpoint({f"module.{key}": value for key, value in network.state_dict().items()})
    assert type(loaded) is type(network) and same(loaded, network)


@pytest.mark.parametrize("kind", CONTAINERS)
def test_exported_files_have_the_published_layout(kind, tmp_path, caplog):
    network = build(kind)
    assert export_official(network, tmp_path / "ckpt.pth") == tmp_path / "ckpt.pth"
    content = torch.load(tmp_path / "ckpt.pth", weights_only=True)
    wanted = {CONTAINERS[kind], "epoch"} if kind in ("ContentBranch", "ImageTranslation") else {CONTAINERS[kind]}
    assert content.keys() == wanted
    assert same(load_checkpoint(tmp_path / "ckpt.pth"), network)
    assert "is no" in caplog.text and "published size" in caplog.text


def test_pose_is_not_exported(tmp_path, caplog):
    network = SpeakerBranch(hidden_size=256, pos_dim=7)
    export_official(network, tmp_path / "ckpt.pth")
    assert not [record for record in caplog.records if record.levelname == "WARNING"]
    loaded = load_checkpoint(tmp_path / "ckpt.pth")
    assert loaded.options["pos_dim"] == 0 and torch.equal(loaded.out[0].weight, network.out[0].weight)


def test_export_from_the_command_line(tmp_path):
    from silvertalk.bin.silvertalk import main

    save_checkpoint(tmp_path / "x.pth", build("ContentBranch"))
    main(["export", "--model", f"{tmp_path}/x.pth", "--out", f"{tmp_path}/ckpt.pth", "--format", "makeittalk"])
    assert "model_g_face_id" in torch.load(tmp_path / "ckpt.pth", weights_only=True)


def test_discriminators_have_no_published_file(tmp_path):
    with pytest.raises(ValueError, match="no file for a GruDiscriminator; name one of AutoVC"):
        export_official(build("GruDiscriminator"), tmp_path / "x.pth")


@pytest.mark.parametrize("zipped", [True, False])
def test_published_translation_holds_its_optimiser(zipped, tmp_path):
    network = ImageTranslation(ngf=1)
    optimizer = torch.optim.Adam(network.parameters(), betas=(0.5, 0.999))
    network(torch.rand(2, 6, 64, 64)).mean().backward()
    optimizer.step()
    state = {f"module.{key}": value for key, value in network.state_dict().items()}
    path = tmp_path / "ckpt_116_i2i_comb.pth"
    torch.save({"G": state, "opt": optimizer, "epoch": 116}, path, _use_new_zipfile_serialization=zipped)
    assert same(load_checkpoint(path), network)


class Trap:
    """What a pickle may do when it is trusted."""

    def __reduce__(self):
        return os.mkdir, ("trapped",)


@pytest.mark.parametrize("zipped", [True, False])
def test_other_pickles_are_refused_and_not_run(zipped, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    content = {"G": build("ImageTranslation").state_dict(), "opt": Trap(), "epoch": 1}
    torch.save(content, "x.pth", _use_new_zipfile_serialization=zipped)
    with pytest.raises(ValueError, match=r"x.pth: holds a pickled .*mkdir"):
        load_checkpoint("x.pth")
    assert not (tmp_path / "trapped").exists()


def test_published_speaker_branch_may_lack_and_have_what_nothing_uses():
    network = build("SpeakerBranch")
    state = {k: v for k, v in network.state_dict().items() if not k.startswith("decoder.") and ".pe." not in k}
    loaded = load_checkpoint({"G": {**state, "comb_mlp.0.weight": torch.zeros(2)}, "epoch": 3})
    assert torch.equal(loaded.encoder.pe.pe, network.encoder.pe.pe)
    au, embedding = torch.randn(4, 18, 80), torch.randn(1, 256)
    assert torch.equal(loaded(au, embedding), network(au, embedding))
    with pytest.raises(ValueError, match="unexpected key 'strange'"):
        load_checkpoint({"G": {**state, "strange": torch.zeros(2)}})
    with pytest.raises(ValueError, match="missing key 'out.4.bias'"):
        load_checkpoint({"G": {key: value for key, value in state.items() if key != "out.4.bias"}})


def test_first_key_that_does_not_fit_is_named(tmp_path):
    small = build("ContentBranch")
    with pytest.raises(ValueError, match=r"'fc_prior.0.weight' has shape \(4, 7\), not \(256, 80\)"):
        load_checkpoint(dict(small.state_dict()), ContentBranch())
    with pytest.raises(ValueError, match="belongs to no network of MakeItTalk: has 'a.b'"):
        load_checkpoint({"a.b": torch.zeros(1)})
    damaged = {key: value for key, value in build("AutoVC").state_dict().items() if "linear" not in key}
    with pytest.raises(ValueError, match="damaged AutoVC; missing key 'decoder.linear_projection"):
        load_checkpoint(damaged)
    with pytest.raises(ValueError, match="holds a Wav2Lip, which is no network of MakeItTalk"):
        load_checkpoint({"state_dict": {"x": torch.zeros(1)}, "network": "Wav2Lip", "options": "{}"})
    save_checkpoint(tmp_path / "x.pth", small)
    with pytest.raises(ValueError, match="x.pth holds a ContentBranch, not a SpeakerBranch"):
        load_network(tmp_path / "x.pth", "SpeakerBranch")
    with pytest.raises(FileNotFoundError, match="no checkpoint .*nothing.pth"):
        load_checkpoint(tmp_path / "nothing.pth")


def test_weights_replace_those_of_a_network(tmp_path):
    network, other = build("AutoVC"), build("AutoVC")
    save_checkpoint(tmp_path / "x.pth", network)
    assert load_checkpoint(tmp_path / "x.pth", other) is other and same(network, other)


def test_an_experiment_names_its_network(tmp_path):
    network = build("ContentBranch")
    save_config(tmp_path, {"task": "makeittalk_content", "model": network.options})
    with pytest.raises(FileNotFoundError, match="run its training stage"):
        load_checkpoint(tmp_path)
    save_checkpoint(tmp_path / "latest.pth", network)
    found = find_network(tmp_path)
    assert (found.kind, found.options, found.weights.name) == ("ContentBranch", network.options, "latest.pth")
    assert same(load_checkpoint(tmp_path), network)
    save_config(tmp_path, {"task": "wav2lip"})
    with pytest.raises(ValueError, match="task 'wav2lip' is none of makeittalk_autovc"):
        load_checkpoint(tmp_path)
    save_config(tmp_path, {"task": "makeittalk_content", "model": {"width": 3}})
    with pytest.raises(ValueError, match="no ContentBranch can be built with its options .*width"):
        load_checkpoint(tmp_path)


def test_average_of_epochs_is_a_checkpoint(tmp_path):
    from silvertalk.training.fit import average_checkpoints

    pair = [AutoVC(**SMALL["AutoVC"]) for _ in range(2)]
    for number, network in enumerate(pair):
        save_checkpoint(tmp_path / f"{number}epoch.pth", network)
    average_checkpoints([tmp_path / "0epoch.pth", tmp_path / "1epoch.pth"], tmp_path / "average.pth")
    key = "postnet.convolutions.0.0.conv.weight"
    wanted = sum(network.state_dict()[key] for network in pair) / 2
    np.testing.assert_allclose(load_checkpoint(tmp_path / "average.pth").state_dict()[key], wanted, atol=1e-7)
