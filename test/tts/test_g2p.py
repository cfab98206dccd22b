"""The choice of a grapheme-to-phoneme converter, phonemes of eSpeak NG, and the front end that a voice keeps."""

import ast
import importlib.util
from pathlib import Path

import pytest

from silvertalk.bin import tts_g2p, tts_text
from silvertalk.tts import Synthesizer, UnknownCharacterError, g2p
from silvertalk.tts.espeak import pronounce
from silvertalk.tts.frontend import TextFrontEnd
from silvertalk.tts.training import usable


def espnet_names():
    """ESPnet's list of names, read from its source, since importing it looks for NLTK's data."""
    path = Path(importlib.util.find_spec("espnet2").submodule_search_locations[0]) / "text/phoneme_tokenizer.py"
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and node.targets[0].id == "g2p_choices":
            return ast.literal_eval(node.value)
    raise AssertionError("g2p_choices is gone")


def test_every_name_of_espnet_is_known():
    assert {name or "none" for name in espnet_names()} == set(g2p.NEEDS) - {g2p.ESPEAK}


@pytest.mark.parametrize("name", sorted(g2p.NEEDS))
def test_a_name_runs_or_says_what_to_install(name):
    try:
        assert g2p.choose_g2p("ko", name).name == name
    except RuntimeError as error:
        assert any(word in str(error) for word in ("install", "nltk.downloader", "implement")), error


def test_auto_goes_by_language_and_says_why(monkeypatch):
    monkeypatch.setattr(g2p, "what_lacks", lambda name: "install g2pk" if name == "g2pk" else "")
    assert [g2p.choose_g2p(language).name for language in ("ko", "en", "zh", "de")] == [
        "korean_jaso",
        "espeak",
        "pypinyin_g2p_phone",
        "espeak",
    ]
    assert "install g2pk" in g2p.choose_g2p("ko").reason
    monkeypatch.setattr(g2p, "what_lacks", lambda name: "")
    assert g2p.choose_g2p("ko").name == "g2pk"


def test_what_is_missing_or_wrong_is_refused(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(RuntimeError, match="install phonemizer"):
        g2p.choose_g2p("de", "espeak_ng_german")
    with pytest.raises(ValueError, match="no g2p 'x'; there is auto, none, espeak, g2p_en"):
        g2p.choose_g2p("ko", "x")
    with pytest.raises(ValueError, match="--language"):
        g2p.choose_g2p("auto")


def test_phonemes_keep_marks_words_and_stress():
    assert g2p.phonemise("Hello, you!", "en") == ["h", "ə", "l", "ˈoʊ", ",", "<space>", "j", "uː", "!"]
    assert "ç" in g2p.phonemise("ich", "de")
    with pytest.raises(ValueError, match="no voice 'xx'"):
        pronounce("a", "xx")


def test_front_end_is_kept_with_the_voice(tmp_path, capsys):
    assert TextFrontEnd.load(tmp_path) == TextFrontEnd("auto", "none", "none")
    assert TextFrontEnd.load(tmp_path)("3시 ATM ♥").text == "3시 ATM ♥"
    tts_g2p.main(["--language", "en", "--g2p", "auto"])
    assert capsys.readouterr().out == "en espeak\n"
    TextFrontEnd("en", "auto", "espeak").save(tmp_path)
    front_end = TextFrontEnd.load(tmp_path)
    assert front_end == TextFrontEnd("en", "auto", "espeak")
    assert front_end("2 ♥").text == " ".join(g2p.phonemise("two", "en"))
    assert [u.character for u in front_end("2 ♥").unknown] == ["♥"]
    (tmp_path / "text.yaml").write_text("langauge: ko\n")
    with pytest.raises(ValueError, match="langauge"):
        TextFrontEnd.load(tmp_path)


@pytest.mark.parametrize("wrong", [{"normalise": "yes"}, {"normalise": "auto", "language": "de"}])
def test_a_front_end_that_cannot_work_is_refused(wrong):
    with pytest.raises(ValueError, match="--normalise"):
        TextFrontEnd(**wrong)


class Voice:
    """Stands in for ESPnet's Text2Speech: remembers what it was asked to say."""

    fs = 16000

    def __call__(self, text):
        import torch

        self.text = text
        return {"wav": torch.zeros(4)}


def test_typed_text_goes_through_the_front_end_of_the_voice(caplog):
    voice = Voice()
    speak = Synthesizer(voice, ["<space>", *"세시에"], TextFrontEnd("ko", "auto"))
    speak("3시에 😀")
    assert voice.text == "세 시에"
    assert "'😀' (GRINNING FACE) at place 5" in caplog.text
    with pytest.raises(UnknownCharacterError, match="'명'"):
        speak("3명")
    with pytest.raises(ValueError, match="nothing in '😀'"):
        speak("😀")
    speak = Synthesizer(voice, ["t", "ˈuː"], TextFrontEnd("en", "auto", "espeak"))
    speak("2")
    assert voice.text == "t ˈuː"
    with pytest.raises(UnknownCharacterError, match="no token for: .*h"):
        speak("who")


def test_spoken_transcripts_and_the_list_of_what_is_not_spoken(tmp_path):
    (tmp_path / "text").write_text("a-1 3시에 😀 만나요\na-2 그대로\na-3\n", encoding="utf-8")
    tts_text.rewrite(str(tmp_path / "text"), str(tmp_path / "out"), str(tmp_path / "unknown.tsv"), "ko")
    lines = (tmp_path / "out").read_text(encoding="utf-8").splitlines()
    assert lines[:2] == ["a-1 세 시에 만나요", "a-2 그대로"] and lines[2].split() == ["a-3"]
    assert (tmp_path / "unknown.tsv").read_text(encoding="utf-8") == "a-1\t5\t😀\tGRINNING FACE\n"


def test_a_voice_of_phonemes_is_only_given_sounds_it_knows(tmp_path):
    (tmp_path / "text").write_text("a-1 h ə\na-2 h x y\n", encoding="utf-8")
    (tmp_path / "tokens.txt").write_text("<blank>\n<unk>\nh\nə\n<sos/eos>\n", encoding="utf-8")
    checks = usable.text_checks(usable.Tokens(tmp_path / "tokens.txt", "word"))
    usable.filter_utterances(tmp_path / "text", tmp_path / "keys", tmp_path / "skipped", checks)
    assert (tmp_path / "keys").read_text() == "a-1\n"
    assert (tmp_path / "skipped").read_text() == "a-2\tthe voice has no token for: x y\n"


def test_sounds_that_a_voice_has_not_heard_are_reported(tmp_path, monkeypatch):
    """Those of ESPnet's converters, which would become <unk>."""
    monkeypatch.setattr(usable, "to_sounds", lambda cleaner, g2p: {"pypinyin_g2p": str.upper}[g2p])
    (tmp_path / "text").write_text("a-1 ab\na-2 abc\n", encoding="utf-8")
    (tmp_path / "tokens.txt").write_text("<blank>\n<unk>\nA\nB\n<sos/eos>\n", encoding="utf-8")
    checks = usable.text_checks(usable.Tokens(tmp_path / "tokens.txt", "phn", g2p="pypinyin_g2p"))
    usable.filter_utterances(tmp_path / "text", tmp_path / "keys", tmp_path / "skipped", checks)
    assert (tmp_path / "keys").read_text() == "a-1\n"
    assert (tmp_path / "skipped").read_text() == "a-2\tthe voice has no token for: C\n"


def test_pypinyin_gets_no_spaces():
    assert TextFrontEnd("zh", "auto", "pypinyin_g2p_phone")("宝马,3次 。").text == "宝马,三次."


@pytest.mark.recipe  # ESPnet's import takes seconds
def test_marks_are_sounds_of_their_own_in_chinese():
    sounds = usable.to_sounds("none", "pypinyin_g2p_phone")
    front_end = TextFrontEnd("zh", "auto", "pypinyin_g2p_phone")
    assert sounds(front_end("宝马，3次。").text) == ["b", "ao3", "m", "a3", ",", "s", "an1", "c", "i4", "."]
