"""A corpus that a teacher speaks, with a teacher and a listener of one line each."""

import json

import numpy as np
import pytest

from silvertalk.data import read_scp
from silvertalk.media import read_audio
from silvertalk.tts.teacher.base import SILENCE, Spoken, load_teacher
from silvertalk.tts.teacher.corpus import combine, make_orders, read_texts, speak_corpus

TEXTS = ["하나 둘.", "셋.", "3명 왔다."]


class Hummer:
    """Hums 600 samples a token."""

    name, sampling_rate, languages = "hummer", 24000, ("ko",)

    def __init__(self):
        self.spoken = []

    def phonemise(self, text, language):
        if "셋" in text:
            raise ValueError("no token for 셋")
        return list(text)

    def speak(self, tokens, voice, speed=1.0):
        self.spoken.append("".join(tokens))
        durations = np.full(len(tokens) + 2, 600)
        wav = np.sin(np.arange(durations.sum()) / 20).astype(np.float32) / 2
        return Spoken(wav, [SILENCE, *tokens, SILENCE], durations)


def listen(wav, sampling_rate, text):
    return text, 0.0


def speak(folder, judge=listen, job=1, orders=None, max_cer=0.1):
    hummer = Hummer()
    orders = make_orders(TEXTS, "ko", ["jf_a"], [1.0]) if orders is None else orders
    speak_corpus(hummer, orders, "ko", folder, job, judge, max_cer)
    return hummer.spoken


def test_what_is_understood_is_kept_with_its_alignment(tmp_path):
    assert speak(tmp_path) == ["하나 둘.", "세 명 왔다."]
    assert combine(tmp_path) == (2, 1)
    tokens, durations = read_scp(tmp_path / "phonemes"), read_scp(tmp_path / "durations")
    for utt_id, path in read_scp(tmp_path / "wav.scp").items():
        wav, rate = read_audio(path)
        numbers = [int(number) for number in durations[utt_id].split()]
        assert rate == 24000 and len(wav) == sum(numbers) and len(numbers) == len(tokens[utt_id].split())
    assert sorted(read_scp(tmp_path / "text").values()) == ["3명 왔다.", "하나 둘."]
    assert "<space>" in "".join(tokens.values())
    assert "셋.: no token for 셋" in (tmp_path / "dropped.tsv").read_text()
    assert len((tmp_path / "transcripts.txt").read_text().splitlines()) == 2


def test_what_is_heard_as_something_else_is_dropped(tmp_path):
    speak(tmp_path, lambda wav, rate, text: ("하나", 0.5 if text == "하나 둘." else 0.1))
    assert combine(tmp_path) == (1, 2)
    assert "heard: 0.500 하나 | 하나 둘." in (tmp_path / "dropped.tsv").read_text()
    assert not list(tmp_path.glob(f"data/*/{make_orders(TEXTS, 'ko', ['jf_a'], [1.0])[0].utt_id}*"))


def test_it_goes_on_where_it_was_stopped(tmp_path):
    def stop(wav, rate, text):
        if text != TEXTS[0]:
            raise KeyboardInterrupt
        return text, 0.0

    with pytest.raises(KeyboardInterrupt):
        speak(tmp_path, stop)
    assert combine(tmp_path) == (1, 1)
    with open(tmp_path / "parts/part.1.jsonl", "a") as manifest:
        manifest.write('{"utt_id": "half')
    assert combine(tmp_path) == (1, 1)  # while a line is being written
    assert speak(tmp_path) == ["세 명 왔다."]
    assert combine(tmp_path) == (2, 1)


def test_jobs_share_the_work(tmp_path):
    orders = make_orders(TEXTS, "ko", ["jf_a", "jf_b*0.6+af_c*0.4"], [1.0, 0.9])
    assert len({order.utt_id for order in orders}) == 12 and len({order.spk for order in orders}) == 2
    for job in (1, 2):
        speak(tmp_path, job=job, orders=orders[job - 1 :: 2])
    assert combine(tmp_path) == (8, 4)
    done = [{json.loads(line)["utt_id"] for line in path.open()} for path in tmp_path.glob("parts/part.*.jsonl")]
    assert [len(own) for own in done] == [6, 6] and not done[0] & done[1]


def test_orders_do_not_depend_on_the_place_in_the_list():
    first, second = (make_orders(texts, "ko", ["jf_a"], [0.9]) for texts in (TEXTS, TEXTS[::-1]))
    assert {order.utt_id for order in first} == {order.utt_id for order in second}


def test_bad_input(tmp_path):
    with pytest.raises(ValueError, match="there is kokoro"):
        load_teacher("nobody")
    (tmp_path / "twice.txt").write_text("가.\n나.\n가.\n")
    (tmp_path / "empty.txt").write_text("\n")
    with pytest.raises(ValueError, match="'가.' stands there twice"):
        read_texts(tmp_path / "twice.txt")
    with pytest.raises(ValueError, match="no text"):
        read_texts(tmp_path / "empty.txt")
    speak(tmp_path / "out", lambda wav, rate, text: ("", 1.0))
    with pytest.raises(RuntimeError, match="nothing was kept of 3"):
        combine(tmp_path / "out")
