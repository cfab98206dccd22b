"""Long text, controls, captions and files of a voice."""

import io
import json
import logging
import sys

import numpy as np
import pytest
import soundfile

from silvertalk.bin.silvertalk import main
from silvertalk.tts import SpeakOptions, Synthesizer, TextFrontEnd, UnknownCharacterError
from silvertalk.tts.espnet_models import JetsModel
from silvertalk.tts.speakers import Speakers

RATE, HOP = 16000, 256
TOKENS = ["<blank>", "<unk>", "<space>", *"abcdefghijklmnopqrstuvwxyz,'", "<sos/eos>"]


class Hum:
    """Stands in for ESPnet's Text2Speech: hums 6 frames for each character."""

    fs = RATE
    amplitude = 0.1
    frames = 6

    class train_args:  # noqa: N801
        token_list = TOKENS

    def __init__(self):
        self.said = []

    def preprocess_fn(self, name, data):
        return {"text": np.array([TOKENS.index("<space>" if c == " " else c) for c in data["text"]])}

    def __call__(self, text, decode_conf=None):
        import torch

        self.said.append(text)
        frames = torch.full((len(text) + 1,), self.frames)  # and the end of the sentence
        wav = self.amplitude * torch.sin(0.05 * torch.arange(int(frames.sum()) * HOP))
        return {"wav": wav, "duration": frames}


@pytest.fixture
def hum():
    return Synthesizer(Hum(), TOKENS)


def seconds(text):
    return (len(text) + 1) * 6 * HOP / RATE


def test_a_long_text_is_spoken_sentence_by_sentence(hum):
    stream = hum.stream("One two. Three?\nFour, five")
    first = next(stream)
    assert hum.text2speech.said == ["one two"]  # the others wait until they are asked for
    sentences = [first, *stream]
    assert [s.timing.text for s in sentences] == ["One two.", "Three?", "Four, five"]
    times = [(s.timing.start, s.timing.end) for s in sentences]
    one, two, three = seconds("one two"), seconds("three"), seconds("four, five")
    assert np.ravel(times) == pytest.approx(
        [0, one, one + 0.4, one + 0.4 + two, one + two + 1.2, one + two + 1.2 + three], abs=1e-4
    )


def test_pauses_are_silent_and_tokens_sound(hum):
    speech = hum.speak("One two. Three?\nFour, five", SpeakOptions(pause_stop=1.0, pause_paragraph=0.25))
    assert len(speech.wav) == round(speech.sentences[-1].end * RATE) and speech.wav.dtype == np.float32
    silent = np.ones(len(speech.wav), bool)
    for sentence in speech.sentences:
        names = "".join(" " if t.token == "<space>" else t.token for t in sentence.tokens[:-1])
        assert names == sentence.spoken and sentence.tokens[-1].token == "<sos/eos>"
        assert [t.end for t in sentence.tokens[:-1]] == [t.start for t in sentence.tokens[1:]]
        assert (sentence.tokens[0].start, sentence.tokens[-1].end) == pytest.approx((sentence.start, sentence.end))
        for token in sentence.tokens:
            begin, end = round(token.start * RATE), round(token.end * RATE)
            assert end - begin == 6 * HOP and np.abs(speech.wav[begin:end]).max() > 0.09
            silent[begin:end] = False
    assert silent.sum() == 1.25 * RATE and not speech.wav[silent].any()
    joints = [round(time * RATE) for s in speech.sentences for time in (s.start, s.end)][1:-1]
    for joint in joints:  # no click
        assert np.abs(np.diff(speech.wav[joint - 3 : joint + 3])).max() < 0.006 < 0.01 < np.abs(speech.wav[-1])


def test_speed_shortens_pauses_and_other_controls_are_refused():
    class VITS:
        pass

    class Quick(Hum):
        tts = VITS()

        def __call__(self, text, decode_conf=None):
            self.alpha = (decode_conf or {}).get("alpha", 1)
            return super().__call__(text)

    quick = Synthesizer(Quick(), TOKENS)
    sentences = quick.speak("one. two.", SpeakOptions(speed=2)).sentences
    assert quick.text2speech.alpha == 0.5
    assert sentences[1].start - sentences[0].end == pytest.approx(0.2, abs=1e-4)
    with pytest.raises(ValueError, match=r"--pitch 2: the voice VITS \(torch fp32\) cannot change it; a JETS"):
        quick("one", SpeakOptions(pitch=2))
    with pytest.raises(ValueError, match="--engine openvino --precision auto: a voice of VITS runs in torch fp32 only"):
        Synthesizer(Quick(), TOKENS, engine="openvino", precision="auto")
    with pytest.raises(ValueError, match="--speed 2: the voice Hum"):
        Synthesizer(Hum(), TOKENS).stream("one", SpeakOptions(speed=2))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"speed": 0}, "--speed takes 0.25 to 4, not 0"),
        ({"pitch": 13}, "--pitch takes -12 to 12"),
        ({"loudness": 0}, "--loudness takes -60 to -6"),
        ({"pause_stop": -1}, "--pause_stop takes 0 to 60 seconds, not -1"),
        ({"speed": float("nan")}, "--speed takes"),
    ],
)
def test_options_beyond_their_limits_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        SpeakOptions(**options)


def test_a_sentence_that_cannot_be_spoken_is_left_out_and_counted(hum, caplog):
    speech = hum.speak("One. 2 two! Three. ♥♥.")
    assert hum.text2speech.said == ["one", "three"]
    problems = [sentence.problem for sentence in speech.sentences]
    assert problems[0] == problems[2] == "" and "'2' (U+0032) at place 1" in problems[1] and "♥" in problems[3]
    assert speech.sentences[2].start - speech.sentences[0].end == pytest.approx(0.4, abs=1e-4)
    assert "left out sentence 2 of 4: '2 two'" in caplog.text and "2 of 4 sentences were left out" in caplog.text
    with pytest.raises(ValueError, match="none of the 2 sentences can be spoken; sentence 1 of 2: '1. 2' has"):
        hum("1. 2.\n3")
    with pytest.raises(UnknownCharacterError, match="'♥'"):
        hum("♥")
    with pytest.raises(ValueError, match="empty"):
        hum(" \n ")


def test_ten_thousand_characters(hum):
    hum.text2speech.frames = 1
    text = "All the small words of a long day, " * 300
    sentences = hum.speak(text).sentences
    assert len(text) > 10_000 and len(sentences) > 50 and max(len(s.text) for s in sentences) <= 200
    assert not any(sentence.problem for sentence in sentences)


def test_one_language_for_all_sentences(hum):
    hum.front_end = TextFrontEnd("auto", "auto")
    hum.tokens = None
    hum.text2speech.preprocess_fn = lambda name, data: {"text": np.zeros(len(data["text"]), int)}
    hum("7시에 만나요. ATM.")
    assert hum.text2speech.said == ["일곱 시에 만나요.", "에이티엠."]
    hum.text2speech.said.clear()
    hum("7.", SpeakOptions(language="zh"))
    assert hum.text2speech.said[0][0] == "七"
    hum.front_end = TextFrontEnd("ko", "auto")
    with pytest.raises(ValueError, match="this voice speaks ko: leave out --language en"):
        hum("7.", SpeakOptions(language="en"))
    with pytest.raises(ValueError, match="voice is that of one speaker: leave out --speaker s1"):
        hum("7.", SpeakOptions(speaker="s1"))


def test_a_voice_of_several_languages_is_told_which():
    class Polyglot(Hum):
        def preprocess_fn(self, name, data):
            return {"text": np.zeros(len(data["text"]), int)}

        def __call__(self, text, lids, decode_conf=None):
            self.lids = int(lids[0])
            return super().__call__(text)

    voice = Synthesizer(Polyglot(), speakers=Speakers(lids={"<unk>": 0, "en": 1, "ko": 2}))
    assert voice.languages == ("en", "ko")
    for text, options, language, number in (
        ("안녕. ok.", SpeakOptions(), "ko", 2),
        ("ok.", SpeakOptions(), "en", 1),
        ("안녕.", SpeakOptions(language="en"), "en", 1),
    ):
        said = voice.speak(text, options).sentences[-1]
        assert (said.language, voice.text2speech.lids) == (language, number)
    with pytest.raises(ValueError, match="this voice speaks en ko: leave out --language zh"):
        voice("ok", SpeakOptions(language="zh"))
    only = Synthesizer(Polyglot(), speakers=Speakers(lids={"<unk>": 0, "de": 1}))
    assert only.speak("hallo").sentences[0].language == "de" and only.text2speech.lids == 1


def test_loudness_is_set_and_left_alone_by_default(hum):
    from silvertalk.media.loudness import loudness

    text = "one two three four five. " * 8
    plain, _ = hum(text)
    assert np.abs(plain).max() == pytest.approx(Hum.amplitude, abs=1e-4)
    loud, _ = hum(text, SpeakOptions(loudness=-16))
    assert loudness(loud, RATE) == pytest.approx(-16, abs=0.5) and np.abs(loud).max() <= 0.9


@pytest.fixture
def here(hum, tmp_path, monkeypatch):
    monkeypatch.setattr("silvertalk.tts.default.load_voice", lambda *_, **__: hum)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_command(here, caplog):
    (here / "a.txt").write_text("One two.\n\nThree?\n", encoding="utf-8-sig")
    command = ["tts", "--file", "a.txt", "--out", "new/a.flac", "--loudness", "null", "--pause_paragraph", "0.5"]
    main([*command, "--captions", "a.srt", "a.vtt", "--timings", "a.json"])
    wav, rate = soundfile.read(here / "new/a.flac")
    assert rate == RATE and len(wav) == round((seconds("one two") + 0.5 + seconds("three")) * RATE)
    assert np.abs(wav).max() == pytest.approx(Hum.amplitude, abs=1e-3)
    second = json.loads((here / "a.json").read_text(encoding="utf-8"))[1]
    assert second["start"] == pytest.approx(seconds("one two") + 0.5, abs=1e-3)
    assert "\n\n2\n00:00:01,268 --> 00:00:01,844\nThree?\n" in (here / "a.srt").read_text()
    assert (here / "a.vtt").read_text().startswith("WEBVTT\n\n1\n")


def test_command_streams(here, monkeypatch, hum):
    class Pipe(io.BytesIO):
        sizes = []

        def flush(self):
            self.sizes.append((len(self.getvalue()), len(hum.text2speech.said)))

    pipe = Pipe()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(pipe, write_through=True))
    main(["tts", "--text", "One. Two. Three.", "--out", "-", "--loudness", "null"])
    assert [said for size, said in pipe.sizes if size <= 44 + 2 * seconds("one") * RATE][:1] == [1]
    main(["tts", "--text", "One. Two. Three.", "--out", "a.wav", "--stream", "--loudness", "null"])
    assert (here / "a.wav").read_bytes() == pipe.getvalue()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], "give --text or --file"),
        (["--text", "a", "--file", "b"], "give --text or --file"),
        (["--text", " "], "--text: the text is empty"),
        (["--file", "gone"], "gone"),
        (["--file", "latin.txt"], r"latin.txt: is no UTF-8 text \(byte 2\)"),
        (["--text", "♥"], "'♥'"),
        (["--text", "♥. ♥."], "none of the 2 sentences"),
        (["--text", "a", "--captions", "a.txt"], "--captions a.txt: let it end in .srt or .vtt"),
        (["--text", "a", "--speed", "9"], "--speed takes 0.25 to 4"),
        (["--text", "a", "--out", "a.txt"], "a.txt: is no name of a sound file"),
        (["--text", "a", "--out", "a.mp3", "--stream"], "--stream writes WAV"),
    ],
)
def test_command_says_what_is_wrong_and_writes_nothing(here, options, message):
    (here / "latin.txt").write_bytes(b"a\xe9")
    with pytest.raises(SystemExit, match=message) as stop:
        main(["tts", "--out", "a.wav", *options])
    assert "\n" not in str(stop.value.code) and sorted(p.name for p in here.iterdir()) == ["latin.txt"]


class TestJets:
    """The tiny voice of random weights."""

    @pytest.fixture(scope="class")
    def synthesizer(self, tiny_voice):
        return Synthesizer.from_exp(tiny_voice)

    def test_speech_is_espnets(self, synthesizer):
        assert isinstance(synthesizer.model, JetsModel)
        expected = synthesizer.text2speech("lie low at noon")["wav"].numpy()
        wav, _ = synthesizer("lie low at noon")
        np.testing.assert_allclose(wav, np.clip(expected, -1, 1), atol=1e-4)

    def test_speed_pitch_and_energy_reach_the_network(self, synthesizer):
        own, _ = synthesizer("at noon")
        quick = synthesizer.speak("at noon", SpeakOptions(speed=2))
        assert len(own) == 2 * len(quick.wav)
        assert [round((t.end - t.start) * RATE / HOP) for t in quick.sentences[0].tokens] == [3] * 7
        voice, statistics = synthesizer.model, (synthesizer.model._pitch, synthesizer.model._energy)
        try:
            voice._pitch, voice._energy = (5.0, 0.25), (30.0, 15.0)
            assert voice.pitch_offset(SpeakOptions(pitch=12)) == pytest.approx(np.log(2) / 0.25)
            assert voice.energy_offset(SpeakOptions(energy=20)) == pytest.approx(30 * 9 / 15)
            assert voice.pitch_offset(SpeakOptions()) == voice.energy_offset(SpeakOptions()) == 0
            for options in (SpeakOptions(pitch=6), SpeakOptions(energy=6)):
                changed, _ = synthesizer("at noon", options)
                assert len(changed) == len(own) and np.abs(changed - own).max() > 1e-3 * np.abs(own).max()
            voice._pitch = voice._energy = (float("nan"), float("nan"))
            for name in ("pitch", "energy"):
                with pytest.raises(
                    ValueError,
                    match=f"--{name} 1: the voice .* cannot change it; a JETS that was trained on normalised",
                ):
                    synthesizer("at noon", SpeakOptions(**{name: 1}))
            assert len(synthesizer("at noon")[0]) == len(own)
        finally:
            voice._pitch, voice._energy = statistics

    def test_pieces_are_the_whole(self, synthesizer, caplog):
        caplog.set_level(logging.WARNING)
        text = "a noiseless bed, to be told: an old wild tale."
        whole, _ = synthesizer(text.replace(":", "").replace(",", "").replace("s", "l").rstrip("."))
        stream = synthesizer.stream(text.replace(":", "").replace(",", "").replace("s", "l"), in_pieces=True)
        pieces = [piece for sentence in stream for piece in sentence.pieces]
        assert len(pieces) > 1 and not caplog.records
        np.testing.assert_allclose(np.concatenate(pieces), whole, atol=1e-4)
