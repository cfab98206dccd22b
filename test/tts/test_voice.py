"""The contract of voices, one in a package of its own, and how voices are found."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from silvertalk.tts import SpeakOptions, Speech, TextFrontEnd, UnknownCharacterError, Utterance, Voice
from silvertalk.tts.default import load_voice
from silvertalk.tts.registry import open_voice

ROOT = Path(__file__).resolve().parents[2]
RATE = 8000


class Beeps(Voice):
    """A tenth of a second a character, computed one by one."""

    name = "beeps"
    sampling_rate = RATE

    def __init__(self, **attributes):
        self.made, self.ended, self.asked = 0, False, []
        for name, value in attributes.items():
            setattr(self, name, value)

    def utter(self, text, options, in_pieces=False):
        self.asked.append((text, options.language))
        size = RATE // 10
        return Utterance(list(text), np.ones(len(text)), size * len(text), self._pieces(len(text), size))

    def _pieces(self, count, size):
        try:
            for _ in range(count):
                self.made += 1
                yield np.full(size, 0.1, np.float32)
        finally:
            self.ended = True


def test_one_method_is_a_whole_voice():
    voice = Beeps()
    speech = voice.speak("ab. c?", SpeakOptions(pause_stop=0.2))
    assert isinstance(speech, Speech) and len(speech.wav) == (3 + 2 + 2) * RATE // 10
    assert [(t.token, round(t.start, 4)) for t in speech.sentences[1].tokens] == [("c", 0.5), ("?", 0.6)]
    assert voice.asked == [("ab.", "en"), ("c?", "en")] and {s.language for s in speech.sentences} == {"en"}
    assert voice.count_sentences("a. b. c.") == 3 and voice.count_tokens("abc") == 3
    for options in (SpeakOptions(pitch=1), SpeakOptions(speaker="x"), SpeakOptions(language="ko")):
        with pytest.raises(ValueError, match="beeps cannot change it|one speaker|speaks one language: leave out"):
            voice.stream("a", options)
    voice.controls, voice.speaker_names = ("pitch",), ("x",)
    assert len(voice("a", SpeakOptions(pitch=1, speaker="x"))[0]) == RATE // 10


def test_a_closed_stream_computes_nothing_more():
    voice = Beeps()
    stream = voice.stream("abcdefgh. ijk. lmn.", in_pieces=True)
    sentence = next(stream)
    next(sentence.pieces), next(sentence.pieces)
    assert voice.made == 2 and not voice.ended
    stream.close()
    assert voice.ended and list(sentence.pieces) == [] and voice.made == 2
    assert next(stream, None) is None and [text for text, _ in voice.asked] == ["abcdefgh."]
    levelled = Beeps().stream("abcdefgh. ijk. lmn.", SpeakOptions(loudness=-20.0), in_pieces=True)
    sentence = next(levelled)
    levelled.close()
    assert list(sentence.pieces) == []


@pytest.mark.parametrize(
    ("attributes", "text", "wanted", "language"),
    [
        ({}, "안녕", "", "ko"),
        ({"front_end": TextFrontEnd("de")}, "ja", "", "de"),
        ({"front_end": TextFrontEnd("auto", "auto")}, "三", "", "zh"),
        ({"front_end": TextFrontEnd("auto", "auto")}, "三", "ko", "ko"),
        ({"front_end": TextFrontEnd("auto", "none", "espeak")}, "ja", "de", "de"),
    ],
)
def test_the_language_of_a_text(attributes, text, wanted, language):
    assert Beeps(**attributes).choose_language(text, wanted) == language


def test_a_voice_has_its_own_languages():
    class Two(Beeps):
        languages = ("en", "ja")
        front_end = TextFrontEnd("auto", "none")

    assert Two().speak("a", SpeakOptions(language="ja")).sentences[0].language == "ja"
    with pytest.raises(ValueError, match="speaks en ja: leave out --language de"):
        Two()("a", SpeakOptions(language="de"))
    with pytest.raises(ValueError, match="speaks en ja: the text looks like ko; name --language"):
        Two()("가")


def test_the_text_front_end_and_tokens_come_with_it():
    voice = Beeps(front_end=TextFrontEnd("en", "auto", "espeak"))
    voice("Two.")
    assert voice.asked == [("t ˈuː .", "en")] and voice.count_tokens("2.") == 3
    voice.tokens = ["t", "ˈuː"]
    voice("2.")  # the full stop is a pause
    assert voice.asked[1] == ("t ˈuː", "en")
    with pytest.raises(UnknownCharacterError, match="no token for: "):
        voice("who")


PLUG_IN = """
import sys
import numpy as np
from silvertalk.tts import Utterance, Voice

class Tone(Voice):
    sampling_rate = 8000
    languages = ("en",)
    controls = ("speed",)

    def __init__(self, pitch, device):
        self.name, self.pitch = f"tone {pitch} Hz on {device}", pitch

    def utter(self, text, options, in_pieces=False):
        assert "espnet2" not in sys.modules
        seconds = 0.1 * len(text) / options.speed
        wav = 0.3 * np.sin(2 * np.pi * self.pitch * np.arange(round(seconds * 8000)) / 8000)
        return Utterance.whole(wav.astype(np.float32), text, np.ones(len(text)))

def make(rest, device="cpu", **options):
    assert not {"espnet2", "torch"} & set(sys.modules)
    return Tone(float(rest or 440), device)

def make_nothing(rest, **options):
    return None
"""
ENTRIES = "[silvertalk.voices]\ntone = tone_voice:make\nnothing = tone_voice:make_nothing\ngone = tone_voice:gone\n"


@pytest.fixture
def package(tmp_path):
    """A voice as another package installs it."""
    folder = tmp_path / "site"
    information = folder / "tone_voice-1.0.dist-info"
    information.mkdir(parents=True)
    (folder / "tone_voice.py").write_text(PLUG_IN)
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: tone-voice\nVersion: 1.0\n")
    (information / "entry_points.txt").write_text(ENTRIES)
    return folder


def test_a_voice_of_another_package_speaks_through_the_command(package, tmp_path):
    command = [sys.executable, "-m", "silvertalk.bin.silvertalk", "tts", "--exp", "tone:200", "--text", "One. Two."]
    command += ["--out", "a.wav", "--captions", "a.srt", "--timings", "a.json", "--speed", "2", "--loudness", "null"]
    path = os.pathsep.join([str(ROOT), str(package)])
    environment = os.environ | {"PYTHONPATH": path}
    run = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert "by tone 200.0 Hz on cpu" in run.stderr
    wav, rate = soundfile.read(tmp_path / "a.wav")
    assert rate == 8000 and len(wav) == round((0.2 + 0.2 + 0.2) * 8000)
    assert np.abs(np.fft.rfft(wav[:1600])).argmax() == 40  # 200 Hz
    first, second = json.loads((tmp_path / "a.json").read_text())
    assert second["start"] == pytest.approx(0.4) and second["tokens"][0]["token"] == "T"
    assert first["language"] == "en"
    assert "2\n00:00:00,400 --> 00:00:00,600\nTwo.\n" in (tmp_path / "a.srt").read_text()


def test_how_voices_are_found(package, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(package)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(RuntimeError, match="voice gone .tone_voice:gone. cannot be imported: .*gone"):
        open_voice("gone")
    with pytest.raises(RuntimeError, match="tone_voice:make_nothing gave a NoneType, not a Voice"):
        load_voice("exp", "nothing")
    with pytest.raises(FileNotFoundError, match="no voice nobody: neither a folder nor one of espnet, .*tone; name"):
        load_voice("exp", "nobody")
    (tmp_path / "tone").mkdir()
    with pytest.raises(FileNotFoundError, match="tone/config.yaml"):
        load_voice("exp", "./tone")


def test_the_voice_of_the_documentation_speaks():
    code = (ROOT / "docs/VOICE.md").read_text(encoding="utf-8").partition("# hum_voice.py\n")[2].partition("```")[0]
    module = {}
    exec(code, module)
    speech = module["load"]("", device="cpu", engine="auto").speak("It is 3.", SpeakOptions(speed=2))
    assert speech.sentences[0].spoken == "It is three." and len(speech.wav) == len("It is three.") * 640
    assert [token.end for token in speech.sentences[0].tokens][-1] == len(speech.wav) / 16000
