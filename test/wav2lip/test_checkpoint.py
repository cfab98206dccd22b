"""Published layouts load; anything else is refused by its first wrong key."""

import pytest
import torch

from silvertalk.utils.experiment import save_config
from silvertalk.wav2lip import SyncNet, Wav2Lip, load_checkpoint, save_checkpoint
from silvertalk.wav2lip.checkpoint import load_generator, load_network


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
    (tmp_path / "junk.pth").write_bytes(b"not a checkpoint")
    with pytest.raises(ValueError, match="junk.pth"):
        load_checkpoint(tmp_path / "junk.pth", trained)
    with pytest.raises(FileNotFoundError, match="gone.pth"):
        load_checkpoint(tmp_path / "gone.pth", trained)


def test_generator_is_found_in_folder_and_file(tmp_path):
    small = Wav2Lip(width=0.0625)
    save_config(tmp_path / "exp", {"task": "wav2lip", "model": {"img_size": 96, "width": 0.0625}})
    save_checkpoint(tmp_path / "exp" / "latest.pth", small.state_dict())
    for source in (tmp_path / "exp", tmp_path / "exp" / "latest.pth", small):
        generator = load_generator(source)
        assert same(generator, small) and not generator.training
    # A file that lies anywhere else is a published, full-size network.
    save_checkpoint(tmp_path / "wav2lip.pth", small.state_dict())
    with pytest.raises(ValueError, match=r"wav2lip.pth: is not a checkpoint of this Wav2Lip: .* has shape"):
        load_generator(tmp_path / "wav2lip.pth")
    published = Wav2Lip().half()
    save_checkpoint(tmp_path / "wav2lip.pth", published.state_dict())
    assert same(load_generator(str(tmp_path / "wav2lip.pth")), published.float())


def test_what_is_no_generator_is_named(trained, tmp_path):
    save_config(tmp_path / "exp", {"task": "syncnet", "model": {"img_size": 96, "width": 0.125}})
    with pytest.raises(FileNotFoundError, match="no weights in"):
        load_network(tmp_path / "exp")
    save_checkpoint(tmp_path / "exp" / "latest.pth", trained.state_dict())
    assert same(load_network(tmp_path / "exp"), trained)
    for source in (tmp_path / "exp", tmp_path / "exp" / "latest.pth"):
        with pytest.raises(ValueError, match="holds a SyncNet, not a Wav2Lip generator"):
            load_generator(source)
    with pytest.raises(ValueError, match="a SyncNet was given"):
        load_generator(trained)
    with pytest.raises(FileNotFoundError, match="no .*gone; name an experiment folder"):
        load_generator(tmp_path / "gone")
    save_config(tmp_path / "tts", {"task": "tts"})
    with pytest.raises(ValueError, match="task 'tts' is none of syncnet, wav2lip"):
        load_network(tmp_path / "tts")
