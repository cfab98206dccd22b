"""Which utterances stages 6 and 8 take."""

from pathlib import Path

import pytest

from silvertalk.tts.training.config import load_train_config, min_num_samples
from silvertalk.tts.training.usable import (
    Tokens,
    filter_utterances,
    known_checks,
    length_check,
    speaker_check,
    text_checks,
)

CONFIG = str(Path(__file__).resolve().parents[3] / "conf/mini/train_jets.yaml")


@pytest.fixture
def data_dir(tmp_path):
    texts = {
        "s1-a": "bin blue",
        "s1-b": "bin 2",  # a character without token
        "s1-c": "bin blue",  # too short
        "s1-d": "",
        "s1-e": "blue bin " * 10,  # more characters than frames
        "s2-f": "blue",
    }
    num_samples = {"s1-a": 16000, "s1-b": 16000, "s1-c": 4000, "s1-d": 16000, "s1-e": 16000, "s2-f": 16000}
    (tmp_path / "text").write_text("".join(f"{k} {v}".strip() + "\n" for k, v in texts.items()))
    (tmp_path / "utt2num_samples").write_text("".join(f"{k} {v}\n" for k, v in num_samples.items()))
    (tmp_path / "utt2spk").write_text("".join(f"{k} {k[:2]}\n" for k in texts))
    (tmp_path / "tokens.txt").write_text("<blank>\n<unk>\n<space>\nb\ni\nn\nl\nu\ne\n<sos/eos>\n")
    return tmp_path


def run(data_dir, *checks):
    keys, skipped = data_dir / "keys", data_dir / "skipped.tsv"
    filter_utterances(data_dir / "text", keys, skipped, [*text_checks(Tokens(data_dir / "tokens.txt")), *checks])
    reasons = dict(line.split("\t") for line in skipped.read_text().splitlines())
    return keys.read_text().split(), reasons


def test_for_training_everything_unusable_is_listed_with_its_reason(data_dir):
    shortest = min_num_samples(load_train_config(CONFIG), 256)
    long_enough = length_check(data_dir, shortest, 16000, 256, "char")
    keys, reasons = run(data_dir, long_enough, speaker_check(data_dir, "main"))
    assert keys == ["s1-a"]
    assert "'2' (U+0032) at place 5" in reasons["s1-b"]
    assert "0.25 s long" in reasons["s1-c"]
    assert "empty" in reasons["s1-d"]
    assert "characters in 62 frames" in reasons["s1-e"]
    assert "spoken by s2; the voice is that of s1" in reasons["s2-f"]


def test_for_decoding_only_the_text_counts(data_dir):
    keys, reasons = run(data_dir)
    assert keys == ["s1-a", "s1-c", "s1-e", "s2-f"]
    assert sorted(reasons) == ["s1-b", "s1-d"]


def test_speakers_and_languages_that_a_voice_has_not_learnt_are_left_out(data_dir):
    (data_dir / "spk2sid").write_text("<unk> 0\ns1 1\n")
    (data_dir / "lang2lid").write_text("<unk> 0\nen 1\n")
    (data_dir / "utt2lang").write_text("s1-a en\ns1-b en\ns1-c ko\n")
    keys, reasons = run(data_dir, *known_checks(data_dir, data_dir))
    assert keys == ["s1-a", "s1-e"]  # the last one by its script
    assert "the speaker 's2': not in" in reasons["s2-f"] and "the language 'ko'" in reasons["s1-c"]


def test_a_set_without_any_usable_utterance_is_an_error(data_dir):
    (data_dir / "text").write_text("s1-a BIN\n")
    with pytest.raises(RuntimeError, match="no utterance can be used; for example s1-a"):
        run(data_dir)
    assert not (data_dir / "keys").exists()


def test_an_unknown_speaker_is_an_error(data_dir):
    with pytest.raises(ValueError, match="no utterance of speaker 's9'; there are: s1 s2"):
        speaker_check(data_dir, "s9")
