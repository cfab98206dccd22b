"""Which utterances of a set a voice can learn from or speak, and the numbers of their speakers and languages."""

import logging
import os
from collections import Counter
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

from silvertalk.data import iter_scp
from silvertalk.data.kaldi import SortedColumn, iter_sorted, sorted_table
from silvertalk.tts.speakers import LANGUAGES, SPEAKERS, language_column, read_numbers, speaker_column, write_numbers
from silvertalk.tts.text import describe_unknown, describe_unknown_tokens, find_unknown, read_token_list
from silvertalk.utils import atomic_path

Check = Callable[[str, str], str | None]  # (utt_id, text) -> reason to leave it out
KINDS = {
    "sid": ("speaker", SPEAKERS, speaker_column),
    "lid": ("language", LANGUAGES, language_column),
}  # name of its numbers: what it is, the table, how it is told


@dataclass(frozen=True)
class Tokens:
    """What a voice reads."""

    token_list: str | os.PathLike  # tokens.txt of stage 5, or the config.yaml of a trained voice
    token_type: str = "char"  # as for ESPnet: char, phn, word, bpe; text whose phonemes are written out has word
    cleaner: str = "none"  # as for ESPnet; only text of cleaner none has its characters checked
    g2p: str = "none"  # as for ESPnet; the sounds that it makes of the text are checked


def filter_utterances(
    text: str | os.PathLike, keys: str | os.PathLike, skipped: str | os.PathLike, checks: Iterable[Check]
) -> int:
    """List the utterances that can be used, and the others with the reason.

    Args:
        text: Kaldi text file that the voice reads.
        keys: File for the usable utterance ids, one a line.
        skipped: File for the others: utterance id, tab, reason.
        checks: What an utterance has to pass.

    Returns:
        How many can be used.
    """
    if not Path(text).is_file():
        raise FileNotFoundError(f"no {text}; run stages 4 and 5")
    checks = list(checks)
    usable = left_out = 0
    example = "there is no utterance"
    with (
        atomic_path(keys) as new_keys,
        atomic_path(skipped) as new_skipped,
        open(new_keys, "w", encoding="utf-8") as good,
        open(new_skipped, "w", encoding="utf-8") as bad,
    ):
        for utt_id, spoken in iter_sorted(text):
            reason = next((found for check in checks if (found := check(utt_id, spoken))), None)
            if reason is None:
                usable += 1
                good.write(f"{utt_id}\n")
            else:
                left_out += 1
                example = f"{utt_id}: {reason}" if left_out == 1 else example
                bad.write(f"{utt_id}\t{reason}\n")
    if not usable:
        Path(keys).unlink()
        raise RuntimeError(f"{text}: no utterance can be used; for example {example}")
    logging.info("%s: %d usable, %d left out", text, usable, left_out)
    return usable


def text_checks(tokens: Tokens) -> list[Check]:
    """Checks that a voice has a token for all it reads."""
    known = read_token_list(tokens.token_list)
    checks = [_text_check(known, tokens.token_type, tokens.cleaner)]
    if tokens.token_type == "phn" and tokens.g2p not in ("none", ""):
        checks.append(_sound_check(known, to_sounds(tokens.cleaner, tokens.g2p)))
    return checks


def _text_check(tokens: list[str], token_type: str, cleaner: str) -> Check:
    def check(utt_id: str, text: str) -> str | None:
        if not text:
            return "the transcript is empty"
        if token_type == "word":
            return describe_unknown_tokens(text, tokens)
        if token_type != "char" or cleaner not in ("none", ""):
            return None
        unknown = find_unknown(text, tokens)
        return describe_unknown(text, unknown, tokens) if unknown else None

    return check


def to_sounds(cleaner: str, g2p: str) -> Callable[[str], list[str]]:
    """Make ESPnet's function from text to sounds."""
    from espnet2.text.cleaner import TextCleaner
    from espnet2.text.phoneme_tokenizer import PhonemeTokenizer

    clean, tokenizer = TextCleaner(None if cleaner in ("none", "") else cleaner), PhonemeTokenizer(g2p)
    return lambda text: tokenizer.text2tokens(clean(text))


def _sound_check(tokens: list[str], sounds: Callable[[str], list[str]]) -> Check:
    known = set(tokens)

    def check(utt_id: str, text: str) -> str | None:
        unknown = sorted(set(sounds(text)) - known)
        return f"the voice has no token for: {' '.join(unknown)}" if unknown else None

    return check


def length_check(
    data_dir: str | os.PathLike, min_samples: int, sampling_rate: int, hop_length: int, token_type: str
) -> Check:
    """Check that an utterance is as long as a training segment, and has a frame for each token.

    Args:
        data_dir: Folder with ``utt2num_samples``.
        min_samples: Samples of a segment.
        sampling_rate: Hz.
        hop_length: Samples from frame to frame.
        token_type: As in ``Tokens``.
    """
    num_samples = SortedColumn(Path(data_dir) / "utt2num_samples")

    def check(utt_id: str, text: str) -> str | None:
        n = int(num_samples.get(utt_id) or 0)
        if n < min_samples:
            return f"{n / sampling_rate:.2f} s long; a training segment takes {min_samples / sampling_rate:.2f} s"
        length, units = (len(text.split()), "sounds") if token_type == "word" else (len(text), "characters")
        if n // hop_length < length:
            # The alignment gives every token at least one frame.
            return f"{length} {units} in {n // hop_length} frames"
        return None

    return check


def speaker_check(data_dir: str | os.PathLike, spk: str) -> Check:
    """Check that an utterance is spoken by a speaker; "main" is the one with most utterances."""
    path = Path(data_dir) / "utt2spk"
    counts = Counter(name for _, name in iter_scp(path))
    wanted = counts.most_common(1)[0][0] if spk == "main" else spk
    if wanted not in counts:
        raise ValueError(f"no utterance of speaker '{spk}'; there are: {' '.join(sorted(counts))}")
    utt2spk = SortedColumn(path)

    def check(utt_id: str, text: str) -> str | None:
        found = utt2spk.get(utt_id)
        return None if found == wanted else f"spoken by {found}; the voice is that of {wanted}"

    return check


def known_checks(data_dir: str | os.PathLike, tables: str | os.PathLike) -> list[Check]:
    """Checks that speaker and language are in those of ``spk2sid`` and ``lang2lid`` of a folder that there are."""
    checks = []
    for what, name, make_column in KINDS.values():
        table = Path(tables) / name
        column, known = make_column(data_dir), read_numbers(table)

        def check(utt_id: str, text: str, what=what, table=table, column=column, known=known) -> str | None:
            found = column(utt_id)
            return None if found in known else f"the voice has not learnt the {what} '{found}': not in {table}"

        if known:
            checks.append(check)
    return checks


def write_ids(
    data_dir: str | os.PathLike,
    keys: str | os.PathLike,
    tables: str | os.PathLike,
    out_dir: str | os.PathLike,
    new: Collection[str] = (),
) -> None:
    """Write utt2sid and utt2lid, of those of spk2sid and lang2lid that there are.

    Args:
        data_dir: Folder with utt2spk, text, and perhaps utt2lang; without it the script of the text tells the language.
        keys: Ids of the utterances that are used, one a line, as ``filter_utterances`` writes them.
        tables: Folder with spk2sid and lang2lid: that of stage 6, or of a voice.
        out_dir: Folder for utt2sid and utt2lid.
        new: "sid" and "lid" first make spk2sid and lang2lid of the speakers and languages of these utterances.
    """
    for kind, (_, name, make_column) in KINDS.items():
        table, tell = Path(tables) / name, make_column(data_dir)
        if kind not in new and not table.is_file():
            continue
        told = {utt_id: tell(utt_id) for utt_id, _ in iter_scp(keys)}
        if kind in new:
            write_numbers(table, told.values())
        numbers = read_numbers(table)
        with sorted_table(Path(out_dir) / f"utt2{kind}") as add:
            for utt_id, found in told.items():
                if found not in numbers:
                    raise ValueError(
                        f"{utt_id}: '{found}' is not in {table}; take a voice that knows it, or leave it out"
                    )
                add(utt_id, numbers[found])
        logging.info("%s: %d names, %s", table, len(numbers), " ".join(list(numbers)[:20]))
