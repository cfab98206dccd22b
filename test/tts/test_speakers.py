"""Voices of several speakers and languages: what the model is given of them."""

import os

import numpy as np
import pytest
import soundfile
from kaldiio import load_scp

from silvertalk.data import Utterance, combine_parts, read_scp, write_scp
from silvertalk.data.speaker_dump import average_embeddings, dump_embeddings
from silvertalk.tts.speakers import Speakers, load_speakers
from silvertalk.tts.training.usable import write_ids

WHO = Speakers(
    {"<unk>": 0, "s1": 1, "s2": 2}, {"<unk>": 0, "en": 1, "ko": 2}, {"s1": np.ones(256), "s2": np.zeros(256)}
)


def test_the_first_speaker_speaks_unless_another_is_named():
    given = WHO.conditions(language="ko")
    assert given["sids"].tolist() == [1] and given["lids"].tolist() == [2] and given["spembs"][0] == 1
    given = WHO.conditions("s2", "en")
    assert given["sids"].tolist() == [2] and given["lids"].tolist() == [1] and given["spembs"][0] == 0
    assert WHO.names == ["s1", "s2"]


def test_a_voice_of_one_speaker_is_given_nothing():
    assert Speakers().conditions() == {}


@pytest.mark.parametrize(
    "speaker, language, message",
    [
        ("s3", "", "no speaker 's3'; it has: s1 s2"),
        ("<unk>", "", "no speaker"),
        ("s1", "zh", "no language 'zh'; it has: en ko"),
    ],
)
def test_whom_a_voice_does_not_know_it_refuses(speaker, language, message):
    with pytest.raises(ValueError, match=message):
        WHO.conditions(speaker, language)


def test_somebody_unknown_by_a_recording(tmp_path, monkeypatch):
    monkeypatch.setattr("silvertalk.tts.speakers.speaker_embedding", lambda wav: np.full(256, np.abs(wav).max()))
    soundfile.write(tmp_path / "me.wav", np.full(16000, 0.25), 16000)
    by_embedding = Speakers(embeddings=WHO.embeddings)
    assert by_embedding.conditions(str(tmp_path / "me.wav"))["spembs"] == pytest.approx(np.full(256, 0.25), abs=1e-3)
    soundfile.write(tmp_path / "me.wav", np.full(16000, 0.5), 16000)
    os.utime(tmp_path / "me.wav", (1, 1))  # another recording of that name
    assert by_embedding.conditions(str(tmp_path / "me.wav"))["spembs"] == pytest.approx(np.full(256, 0.5), abs=1e-3)
    with pytest.raises(ValueError, match="no speaker"):
        WHO.conditions(str(tmp_path / "me.wav"))  # it has numbers too


def test_numbers_of_a_set(tmp_path):
    write_scp(tmp_path / "utt2spk", {"s1-a": "s1", "s1-b": "s1", "s2-a": "s2", "s3-a": "s3"})
    write_scp(tmp_path / "text", {"s1-a": "hello", "s1-b": "안녕", "s2-a": "hello", "s3-a": "hello"})
    (tmp_path / "keys").write_text("s1-a\ns1-b\ns3-a\n")
    places = [str(tmp_path / name) for name in ("", "keys", "stats", "stats/train")]
    write_ids(*places, new=("sid", "lid"))
    assert load_speakers(tmp_path / "stats") == Speakers({"<unk>": 0, "s1": 1, "s3": 2}, {"<unk>": 0, "en": 1, "ko": 2})
    assert read_scp(tmp_path / "stats/train/utt2sid") == {"s1-a": "1", "s1-b": "1", "s3-a": "2"}
    assert read_scp(tmp_path / "stats/train/utt2lid") == {"s1-a": "1", "s1-b": "2", "s3-a": "1"}
    (tmp_path / "keys").write_text("s2-a\n")
    with pytest.raises(ValueError, match="s2-a: 's2' is not in .*spk2sid"):
        write_ids(*places)


def test_embeddings_of_utterances_and_speakers(tmp_path, monkeypatch):
    values = iter([np.eye(256)[0], np.eye(256)[1], np.eye(256)[2]])
    monkeypatch.setattr("silvertalk.data.speaker_dump.speaker_embedding", lambda wav: next(values))
    soundfile.write(tmp_path / "a.wav", np.zeros(16000), 16000)
    utt2spk = {"s1-a": "s1", "s1-b": "s1", "s2-a": "s2"}
    write_scp(tmp_path / "utt2spk", utt2spk)
    utterances = [Utterance(utt_id, spk, wav=str(tmp_path / "a.wav")) for utt_id, spk in utt2spk.items()]
    dump_embeddings(utterances[::2], tmp_path / "out", 1)
    dump_embeddings(utterances, tmp_path / "out", 2)  # only what is missing
    combine_parts(tmp_path / "out", utt2spk)
    assert average_embeddings(tmp_path, tmp_path / "out") == 2
    embed, mean, whose = (
        load_scp(str(tmp_path / f"out/{name}.scp")) for name in ("embed", "spk_embed", "utt2spk_embed")
    )
    assert embed["s1-b"].shape == (256,) and embed["s1-b"].dtype == np.float32
    np.testing.assert_allclose(mean["s1"][:3], [0.5**0.5, 0, 0.5**0.5], atol=1e-6)
    np.testing.assert_array_equal(whose["s1-b"], mean["s1"])
    np.testing.assert_array_equal(load_speakers(tmp_path / "out").embeddings["s2"], mean["s2"])
