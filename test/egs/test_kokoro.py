"""The texts of the teacher's corpus, and stage 1 of what has been spoken."""

import re
from pathlib import Path

import numpy as np
import pytest

from silvertalk.tts.normalise import normalise
from silvertalk.tts.normalise.hangul import FINALS, INITIALS, MEDIALS
from silvertalk.tts.teacher.base import SILENCE, Spoken
from silvertalk.tts.teacher.corpus import make_orders, read_texts, speak_corpus

TEXTS = Path(__file__).resolve().parents[2] / "egs/kokoro/tts1/texts"
LEAST = {"ko": 1500, "en": 600}


@pytest.mark.parametrize("language", LEAST)
def test_texts_are_many_readable_and_none_of_them_is_tested(language):
    texts, tested = read_texts(TEXTS / f"{language}.txt"), read_texts(TEXTS / f"{language}_test.txt")
    assert len(texts) >= LEAST[language] and len(tested) == 50

    def letters(text):
        return re.sub(r"\W", "", normalise(text, language).text.casefold())

    assert not {*map(letters, texts)} & {*map(letters, tested)}
    assert [text for text in texts + tested if normalise(text, language).unknown] == []


def test_korean_texts_have_every_letter_in_every_place():
    codes = {ord(c) - 0xAC00 for text in read_texts(TEXTS / "ko.txt") for c in text if "가" <= c <= "힣"}
    assert {code // 588 for code in codes} == set(range(len(INITIALS)))
    assert {code % 588 // 28 for code in codes} == set(range(len(MEDIALS)))
    rare = {FINALS.index(final) for final in "ㄽㅋ"}  # 외곬, 부엌
    assert {code % 28 for code in codes} >= set(range(len(FINALS))) - rare


def test_stage_1_takes_what_has_been_spoken(tmp_path, run_recipe, data_sets):
    class Hummer:
        """Hums a second."""

        name, sampling_rate, languages = "hummer", 24000, ("ko",)

        def phonemise(self, text, language):
            return ["m"]

        def speak(self, tokens, voice, speed=1.0):
            wav = np.sin(np.arange(24000) / 20).astype(np.float32) / 2
            return Spoken(wav, [SILENCE, "m", SILENCE], np.array([2400, 19200, 2400]))

    def judge(wav, sampling_rate, text):
        return text, 0.0 if len(text) % 4 else 1.0

    orders = make_orders(read_texts(TEXTS / "ko_test.txt"), "ko", ["jf_a"], [1.0])
    speak_corpus(Hummer(), orders, "ko", tmp_path / "spoken", 1, judge, 0.1)
    options = ("--db_root", tmp_path / "spoken", "--local_data_opts", "--speak false", "--stop_stage", 1)
    result = run_recipe("kokoro/tts1", *options)
    assert result.returncode == 0, result.stdout
    kept = sum(len(order.text) % 4 > 0 for order in orders)
    sets = data_sets()
    assert sum(map(len, sets.values())) == kept and f"{kept} kept, {50 - kept} dropped" in result.stdout
    assert {u.spk for own in sets.values() for u in own} == {"jf_a"}
