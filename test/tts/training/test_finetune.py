"""A trained voice as the start of one with other tokens and speakers."""

import pytest
import torch
import yaml

from silvertalk.tts.experiment import load_weights
from silvertalk.tts.training.finetune import init_weights, take_over

TABLE = "tts.generator.encoder.embed.0.weight"
LAYER = "tts.generator.decoder.weight"


def states(rows, value, **more):
    """A small state dict whose numbers are all `value`."""
    shapes = {TABLE: (rows, 2), LAYER: (3, 3), "tts.discriminator.weight": (2,), "normalize.mean": (4,)}
    return {key: torch.full(shape, value) for key, shape in (shapes | more).items()}


def test_rows_follow_their_tokens():
    old = states(3, 1.0)
    old[TABLE] = torch.tensor([[0.0, 0.0], [1.0, 1.0], [2.0, 2.0]])
    weights, messages = take_over(
        old, states(4, 9.0), ["<blank>", "a", "<sos/eos>"], ["<blank>", "b", "a", "<sos/eos>"]
    )
    assert weights[TABLE].tolist() == [[0.0, 0.0], [9.0, 9.0], [1.0, 1.0], [2.0, 2.0]]
    assert weights[LAYER].eq(1.0).all() and weights["tts.discriminator.weight"].eq(1.0).all()
    assert weights["normalize.mean"].eq(9.0).all()  # that of the new corpus
    assert "3 of 4 tokens are known, 1 start anew: b" in messages


def test_a_table_of_speakers_starts_anew_and_is_listed():
    more = {"tts.generator.sid_emb.weight": (5, 2)}
    weights, messages = take_over(states(1, 1.0), states(1, 9.0, **more), ["a"], ["a"])
    assert weights["tts.generator.sid_emb.weight"].eq(9.0).all()
    assert any("sid_emb.weight is not there in the old voice, (5, 2) in the new one" in text for text in messages)
    _, messages = take_over(states(1, 1.0, **more), states(1, 9.0), ["a"], ["a"])
    assert "tts.generator.sid_emb.weight of the old voice is left out" in messages


def test_a_layer_of_another_shape_is_refused_and_named():
    with pytest.raises(
        ValueError, match=r"1 layers do not fit: .*decoder.weight has shape \(3, 3\).*\(5, 3\) in the new"
    ):
        take_over(states(1, 1.0), states(1, 9.0, **{LAYER: (5, 3)}), ["a"], ["a"])
    with pytest.raises(ValueError, match="tts.extra is not in the new voice"):
        take_over(states(1, 1.0, **{"tts.extra": (1,)}), states(1, 9.0), ["a"], ["a"])


def test_another_discriminator_starts_anew():
    other = states(1, 9.0, **{"tts.discriminator.weight": (7,)})
    weights, messages = take_over(states(1, 1.0), other, ["a"], ["a"])
    assert weights["tts.discriminator.weight"].eq(9.0).all()
    assert "1 of 1 layers of the discriminator start anew" in messages


def test_weights_are_read_from_what_espnet_and_we_write(tmp_path):
    from safetensors.torch import save_file

    save_file({"tts.a": torch.ones(2, dtype=torch.float16)}, tmp_path / "model.safetensors")
    assert load_weights(tmp_path / "model.safetensors")["tts.a"].dtype == torch.float32
    torch.save({"model": {"tts.a": torch.ones(2)}, "reporter": {}}, tmp_path / "checkpoint.pth")
    assert list(load_weights(tmp_path / "checkpoint.pth")) == ["tts.a"]
    torch.save({"state_dict": {}}, tmp_path / "other.pth")
    with pytest.raises(ValueError, match="holds no voice"):
        load_weights(tmp_path / "other.pth")
    with pytest.raises(FileNotFoundError, match="no .*gone.pth"):
        load_weights(tmp_path / "gone.pth")


@pytest.mark.recipe
def test_a_voice_learns_new_letters(tiny_voice, tmp_path):
    config = yaml.safe_load((tiny_voice / "config.yaml").read_text())
    old_tokens = config["token_list"]
    config["token_list"] = [*old_tokens[:-1], "å", old_tokens[-1]]
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config, allow_unicode=True))
    init_weights(str(tiny_voice), str(tmp_path), str(tmp_path / "init.pth"))
    old, new = (torch.load(path) for path in (tiny_voice / "latest.pth", tmp_path / "init.pth"))
    assert torch.equal(new[TABLE][:-2], old[TABLE][:-1]) and torch.equal(new[TABLE][-1], old[TABLE][-1])
    assert len(new[TABLE]) == len(old_tokens) + 1
    assert all(torch.equal(new[key], old[key]) for key in old if key.startswith("tts.") and key != TABLE)
    config["tts"] = "vits"
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))
    with pytest.raises(ValueError, match="is a jets, the new voice a vits"):
        init_weights(str(tiny_voice), str(tmp_path), str(tmp_path / "init.pth"))
