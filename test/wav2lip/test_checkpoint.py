"""Published layouts load; anything else is refused by its first wrong key."""

import pytest
import torch

from silvertalk.wav2lip import SyncNet, load_checkpoint, save_checkpoint


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
