"""Captions and timings of what was said."""

import json

import pytest

from silvertalk.tts.captions import (
    Cue,
    TimedSentence,
    TimedToken,
    check_names,
    make_cues,
    write_captions,
    write_timings,
)
from silvertalk.tts.sentences import width


def sentence(text, start=1.0, number=1, step=0.1):
    """Every character takes a tenth of a second."""
    tokens = tuple(TimedToken(c, start + k * step, start + (k + 1) * step) for k, c in enumerate(text))
    return TimedSentence(number, text, text, start, start + len(text) * step, tokens)


def test_a_short_sentence_is_one_caption():
    assert make_cues(sentence("Good morning."), len) == [Cue(1.0, pytest.approx(2.3), ("Good morning.",))]
    left_out = TimedSentence(2, "♥", "", 2.0, 2.0, (), "nothing can be spoken")
    assert make_cues(left_out, len) == []


@pytest.mark.parametrize(
    "text",
    [
        "When the rain had stopped, the children went to the park, where, on a wet bench, three thousand ants were "
        "walking to their queen, who had waited all morning for them.",
        "비가 그치자 아이들은 공원으로 갔고, 젖은 긴 의자 위에서는 삼천 마리의 개미가 "
        "아침 내내 기다린 여왕에게로 걸어가고 있었습니다.",
        "雨停了以后孩子们去了公园那里有三千只蚂蚁正在走向等了一个早上的女王而没有人看见它们走过湿湿的长椅",
    ],
)
def test_a_long_sentence_is_read_along_in_step(text):
    spoken = sentence(text)
    cues = make_cues(spoken, len)
    assert len(cues) > 1 and cues[0].start == spoken.start and cues[-1].end == spoken.end
    assert max(width(line) for cue in cues for line in cue.lines) <= 42 and max(len(cue.lines) for cue in cues) <= 2
    said = 0
    for cue, following in zip(cues, cues[1:], strict=False):
        said += len(" ".join(cue.lines).rstrip()) + (" " in text)
        assert cue.end == following.start
        assert abs(following.start - (1.0 + 0.1 * said)) < 0.35  # the character at which the next caption begins
    assert "".join("".join(line for cue in cues for line in cue.lines).split()) == "".join(text.split())


def test_subrip_and_webvtt(tmp_path):
    cues = [Cue(0.0, 1.2345, ("a < b & c",)), Cue(3599.9996, 7384.5, ("한 줄", "두 줄"))]
    write_captions(tmp_path / "a.srt", cues)
    assert (tmp_path / "a.srt").read_text(encoding="utf-8") == (
        "1\n00:00:00,000 --> 00:00:01,234\na < b & c\n\n2\n01:00:00,000 --> 02:03:04,500\n한 줄\n두 줄\n"
    )
    write_captions(tmp_path / "a.vtt", cues)
    assert (
        (tmp_path / "a.vtt")
        .read_text(encoding="utf-8")
        .startswith("WEBVTT\n\n1\n00:00:00.000 --> 00:00:01.234\na &lt; b &amp; c\n\n2\n01:00:00.000")
    )


def test_timings(tmp_path):
    sentences = [sentence("a b", 0.0), TimedSentence(2, "♥", "", 0.3, 0.3, (), "cannot be spoken")]
    write_timings(tmp_path / "a.tsv", sentences)
    assert (tmp_path / "a.tsv").read_text().splitlines() == [
        "sentence\ttoken\tstart\tend",
        "1\ta\t0.0000\t0.1000",
        "1\t \t0.1000\t0.2000",
        "1\tb\t0.2000\t0.3000",
    ]
    write_timings(tmp_path / "a.json", sentences)
    first, second = json.loads((tmp_path / "a.json").read_text(encoding="utf-8"))
    assert first["tokens"][2] == {"token": "b", "start": 0.2, "end": 0.3} and first["end"] == 0.3
    assert second["problem"] == "cannot be spoken" and second["text"] == "♥"


def test_names_are_refused_before_anything_is_spoken():
    with pytest.raises(ValueError, match=r"--captions a.txt: let it end in .srt or .vtt"):
        check_names(["a.srt", "a.txt"], None)
    with pytest.raises(ValueError, match=r"--timings a.csv: let it end in .tsv or .json"):
        check_names([], "a.csv")
