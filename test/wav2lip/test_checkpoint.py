"""Published layouts load; anything else is refused by its first wrong key."""

import pytest
import safetensors.torch
import torch

from silvertalk.training import checkpoint
from silvertalk.training.experiment import save_config
from silvertalk.wav2lip import (
    QualityDiscriminator,
    SyncNet,
    Wav2Lip,
    load_checkpoint,
    save_checkpoint,
)
from silvertalk.wav2lip.checkpoint import find_generator, load_generator


@pytest.fixture
def trained():
    """A small network whose weights are recognisable."""
    torch.manual_seed(3)
    return SyncNet(width=0.125)


def same(one, other):
    """Whether two networks have equal weights."""
    return all(torch.equal(a, b) for a, b in zip(one.state_dict().values(), other.state_dict().values(), strict=True))


@pytest.mark.parametrize("wrap", [lambda s: s, lambda s: {"state_dict": s, "optimizer": None, "global_step": 7}])
@pytest.mark.parametrize("prefix", ["", "module."])
def test_layouts(trained, tmp_path, wrap, prefix):
    state = {prefix + key: value for key, value in trained.state_dict().items()}
    torch.save(wrap(state), tmp_path / "x.pth")
    assert same(load_checkpoint(tmp_path / "x.pth", SyncNet(width=0.125)), trained)
    assert same(load_checkpoint(wrap(state), SyncNet(width=0.125)), trained)


def test_ours_has_the_published_layout(trained, tmp_path):
    save_checkpoint(tmp_path / "x.pth", trained.state_dict(), step=12, epoch=3)
    content = torch.load(tmp_path / "x.pth", weights_only=True)
    assert set(content) == {"state_dict", "optimizer", "global_step", "global_epoch"}
    assert content["global_step"] == 12
    assert list(tmp_path.iterdir()) == [tmp_path / "x.pth"]


def test_refuses_what_does_not_fit(trained, tmp_path):
    state = trained.state_dict()
    first = next(iter(state))
    with pytest.raises(ValueError, match=f"missing key '{first}'"):
        load_checkpoint({k: v for k, v in state.items() if k != first}, SyncNet(width=0.125))
    with pytest.raises(ValueError, match="unexpected key 'extra'"):
        load_checkpoint({**state, "extra": torch.zeros(1)}, SyncNet(width=0.125))
    with pytest.raises(ValueError, match="has shape"):
        load_checkpoint(state, SyncNet(width=0.25))
    with pytest.raises(FileNotFoundError, match="gone.pth"):
        load_checkpoint(tmp_path / "gone.pth", trained)


def test_generator_is_found_in_folder_and_file(tmp_path, monkeypatch):
    small = Wav2Lip(width=0.0625)
    save_config(tmp_path / "exp", {"task": "wav2lip", "model": {"img_size": 96, "width": 0.0625}})
    save_checkpoint(tmp_path / "exp" / "latest.pth", small.state_dict())
    for source in (tmp_path / "exp", tmp_path / "exp" / "latest.pth", small):
        generator = load_generator(source)
        assert same(generator, small) and not generator.training
    # A file that lies anywhere else is known by its keys and shapes.
    save_checkpoint(tmp_path / "bare.pth", Wav2Lip(256, 0.0625).half().state_dict())
    found = find_generator(tmp_path / "bare.pth")
    assert found.options == {"img_size": 256, "width": 0.0625}
    with monkeypatch.context() as patch:  # the second time it is known already, without torch
        patch.setattr(checkpoint, "read_weights", lambda *_: pytest.fail("read again"))
        assert find_generator(tmp_path / "bare.pth") == found
    assert load_generator(str(tmp_path / "bare.pth")).output_block[1].weight.dtype == torch.float32
    save_checkpoint(tmp_path / "expert.pth", SyncNet(width=0.0625).state_dict())
    with pytest.raises(ValueError, match=r"expert.pth holds a SyncNet, not a Wav2Lip"):
        find_generator(tmp_path / "expert.pth")


def test_what_is_no_generator_is_named(trained, tmp_path):
    save_config(tmp_path / "exp", {"task": "syncnet", "model": {"img_size": 96, "width": 0.125}})
    with pytest.raises(FileNotFoundError, match="no weights in"):
        load_checkpoint(tmp_path / "exp")
    save_checkpoint(tmp_path / "exp" / "latest.pth", trained.state_dict())
    assert same(load_checkpoint(tmp_path / "exp"), trained)
    for source in (tmp_path / "exp", tmp_path / "exp" / "latest.pth"):
        with pytest.raises(ValueError, match="holds a SyncNet, not a Wav2Lip"):
            load_generator(source)
    with pytest.raises(ValueError, match="a SyncNet was given"):
        load_generator(trained)
    with pytest.raises(FileNotFoundError, match="no .*gone; name an experiment folder"):
        load_generator(tmp_path / "gone")
    save_config(tmp_path / "tts", {"task": "tts"})
    with pytest.raises(ValueError, match="task 'tts' is none of syncnet, wav2lip"):
        load_checkpoint(tmp_path / "tts")


def save_torchscript(network, path):
    torch.jit.script(network).save(str(path))


def save_classic(network, path):
    state = {f"module.{key}": value for key, value in network.state_dict().items()}
    optimizer = torch.optim.Adam(network.parameters()).state_dict()
    torch.save({"state_dict": state, "optimizer": optimizer, "global_step": 3, "global_epoch": 1}, path)


def save_legacy(network, path):
    torch.save({"state_dict": network.state_dict()}, path, _use_new_zipfile_serialization=False)


def save_safetensors(network, path):
    safetensors.torch.save_file(network.state_dict(), path)


class Scripted(torch.nn.Module):
    """TorchScript of the published code has its keys; of ours, time folding cannot be scripted."""

    def __init__(self, network):
        super().__init__()
        for name, child in network.named_children():
            setattr(self, name, child)

    def forward(self, x):
        return x


@pytest.mark.parametrize("save", [save_torchscript, save_classic, save_legacy, save_safetensors])
def test_a_file_alone_tells_its_network(trained, tmp_path, save):
    path = tmp_path / "x.bin"
    save(Scripted(trained) if save is save_torchscript else trained, path)
    loaded = load_checkpoint(path)
    assert type(loaded) is SyncNet and (loaded.img_size, loaded.width) == (96, 0.125)
    assert same(loaded, trained) and not loaded.training
    assert same(load_checkpoint(path, SyncNet(width=0.125)), trained)


@pytest.mark.parametrize("network", [Wav2Lip(288, 0.1), SyncNet(256, 0.1), QualityDiscriminator(192, 0.1)])
def test_every_size_is_told_from_the_shapes(network):
    loaded = load_checkpoint(network.state_dict())
    assert type(loaded) is type(network) and loaded.img_size == network.img_size and same(loaded, network)


def test_sizes_of_the_same_shapes_are_told_by_the_file(tmp_path):
    expert = SyncNet(288, 0.0625)
    assert load_checkpoint(expert.state_dict()).img_size == 384  # which others publish
    assert load_checkpoint(expert.state_dict(), img_size=288).img_size == 288
    save_checkpoint(tmp_path / "x.pth", expert)
    assert load_checkpoint(tmp_path / "x.pth").img_size == 288
    with pytest.raises(ValueError, match=r"x.pth: is a SyncNet of img_size 288, not 96"):
        load_checkpoint(tmp_path / "x.pth", img_size=96)


def test_folder_and_its_files_load(tmp_path):
    expert = SyncNet(288, 0.0625)
    save_config(tmp_path, {"task": "syncnet", "model": {"img_size": 288, "width": 0.0625}})
    save_checkpoint(tmp_path / "latest.pth", expert.state_dict())
    for source in (tmp_path, tmp_path / "latest.pth"):
        loaded = load_checkpoint(source)
        assert same(loaded, expert) and loaded.img_size == 288
    assert same(load_checkpoint(tmp_path, SyncNet(288, 0.0625)), expert)
    discriminator = QualityDiscriminator(96, 0.0625)  # which a training leaves beside them
    save_checkpoint(tmp_path / "discriminator.pth", discriminator)
    assert same(load_checkpoint(tmp_path / "discriminator.pth"), discriminator)


def test_what_belongs_to_nothing_is_compared_with_the_nearest(trained):
    state = trained.state_dict()
    gone = state.pop("audio_encoder.13.conv_block.0.bias")
    with pytest.raises(
        ValueError, match=r"is no SyncNet; .* img_size 96, .* missing key 'audio_encoder.13.conv_block.0.bias'"
    ):
        load_checkpoint(state)
    state["audio_encoder.13.conv_block.0.bias"] = gone[:5]
    with pytest.raises(
        ValueError, match=r"is no SyncNet; .* img_size 96, .*'audio_encoder.13.conv_block.0.bias' has shape \(5,\)"
    ):
        load_checkpoint(state)
    with pytest.raises(
        ValueError, match=r"the given dictionary: belongs to no network of Wav2Lip: has .weight., but not"
    ):
        load_checkpoint(torch.nn.Linear(3, 4).state_dict())
    with pytest.raises(ValueError, match="holds no state dict"):
        load_checkpoint({"state_dict": {"a": 1}})


@pytest.mark.parametrize("save", [save_torchscript, save_classic, save_legacy, save_safetensors])
def test_damaged_files_are_named(tmp_path, save):
    path = tmp_path / "x.bin"
    save(torch.nn.Linear(30, 30), path)
    path.write_bytes(path.read_bytes()[:-700])
    with pytest.raises(ValueError, match=r"x.bin: .*fetch or write it again"):
        load_checkpoint(path)


@pytest.mark.parametrize(
    "content, said",
    [
        (b"<html>sign in to download</html>", "is a text file .'<html>sign in"),
        (b"", "is empty"),
        (b"\x00\x01\x02junk", "cannot be read as a PyTorch checkpoint"),
    ],
)
def test_what_is_no_file_of_weights(trained, tmp_path, content, said):
    (tmp_path / "junk.pth").write_bytes(content)
    with pytest.raises(ValueError, match=rf"junk.pth: {said}"):
        load_checkpoint(tmp_path / "junk.pth", trained)
