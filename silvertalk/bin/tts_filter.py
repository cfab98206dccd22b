"""Before stages 6 and 8: which utterances of a set the voice can learn from or speak."""

import logging
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from silvertalk.data import iter_scp
from silvertalk.data.kaldi import SortedColumn, iter_sorted
from silvertalk.tts import check_train_config, find_unknown, load_train_config, min_num_samples, read_token_list
from silvertalk.tts.speakers import LANGUAGES, SPEAKERS, language_column, read_numbers, speaker_column
from silvertalk.tts.text import describe_unknown, describe_unknown_tokens
from silvertalk.utils import atomic_path
from silvertalk.utils.cli import make_parser, run


def filter_utterances(
    data_dir: str,
    token_list: str,
    keys: str,
    skipped: str,
    token_type: str = "char",
    cleaner: str = "none",
    g2p: str = "none",
    train_config: str | None = None,
    train_args: str = "",
    fs: int | None = None,
    hop_length: int | None = None,
    spk: str = "",
    text: str | None = None,
    tables: str | None = None,
) -> None:
    """List the utterances of a set that can be used, and the others with the reason.

    Args:
        data_dir: Folder with ``text``, ``utt2spk`` and ``utt2num_samples``.
        token_list: ``tokens.txt`` of stage 5, or the ``config.yaml`` of a trained voice.
        keys: File for the usable utterance ids, one a line.
        skipped: File for the others: utterance id, tab, reason.
        token_type: As for ESPnet: char, phn, word, bpe. Text whose phonemes are written out has type word.
        cleaner: As for ESPnet. Only cleaner none has its characters checked.
        g2p: As for ESPnet; the sounds that it makes of the text are checked.
        train_config: Training YAML; given, too short recordings are left out.
        train_args: What the command line changes of it, as for ESPnet.
        fs: Sampling rate, Hz; needed with train_config.
        hop_length: Samples from frame to frame; needed with train_config.
        spk: Only this speaker's utterances; "main" takes the one with most; "" all.
        text: Kaldi text file to read instead of data_dir/text.
        tables: Folder whose spk2sid and lang2lid, where there are any, name the speakers and languages that are known.
    """
    data = Path(data_dir)
    transcripts = Path(text) if text else data / "text"
    if not transcripts.is_file():
        raise FileNotFoundError(f"no {transcripts}; run stages 4 and 5")
    checks = [_text_check(read_token_list(token_list), token_type, cleaner)]
    if token_type == "phn" and g2p not in ("none", ""):
        checks.append(_sound_check(read_token_list(token_list), to_sounds(cleaner, g2p)))
    if train_config is not None:
        config = load_train_config(train_config, train_args)
        check_train_config(config, fs, hop_length, name=train_config)
        checks.append(_length_check(data, min_num_samples(config, hop_length), fs, hop_length, token_type))
    if spk:
        checks.append(_speaker_check(data / "utt2spk", spk))
    if tables is not None:
        checks += _known_checks(data, Path(tables))
    usable = left_out = 0
    example = "there is no utterance"
    with atomic_path(keys) as new_keys, open(new_keys, "w", encoding="utf-8") as good:
        with atomic_path(skipped) as new_skipped, open(new_skipped, "w", encoding="utf-8") as bad:
            for utt_id, spoken in iter_sorted(transcripts):
                reason = next((found for check in checks if (found := check(utt_id, spoken))), None)
                if reason is None:
                    usable += 1
                    good.write(f"{utt_id}\n")
                else:
                    left_out += 1
                    example = f"{utt_id}: {reason}" if left_out == 1 else example
                    bad.write(f"{utt_id}\t{reason}\n")
        if not usable:
            raise RuntimeError(f"{data}: no utterance can be used; for example {example}")
    logging.info("%s: %d usable, %d left out", data, usable, left_out)


Check = Callable[[str, str], str | None]  # (utt_id, text) -> reason to leave it out


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


def _length_check(data: Path, min_samples: int, fs: int, hop_length: int, token_type: str) -> Check:
    num_samples = SortedColumn(data / "utt2num_samples")

    def check(utt_id: str, text: str) -> str | None:
        n = int(num_samples.get(utt_id) or 0)
        if n < min_samples:
            return f"{n / fs:.2f} s long; a training segment takes {min_samples / fs:.2f} s"
        length, units = (len(text.split()), "sounds") if token_type == "word" else (len(text), "characters")
        if n // hop_length < length:
            # The alignment gives every token at least one frame.
            return f"{length} {units} in {n // hop_length} frames"
        return None

    return check


def _speaker_check(path: Path, spk: str) -> Check:
    counts = Counter(name for _, name in iter_scp(path))
    wanted = counts.most_common(1)[0][0] if spk == "main" else spk
    if wanted not in counts:
        raise ValueError(f"no utterance of speaker '{spk}'; there are: {' '.join(sorted(counts))}")
    utt2spk = SortedColumn(path)

    def check(utt_id: str, text: str) -> str | None:
        found = utt2spk.get(utt_id)
        return None if found == wanted else f"spoken by {found}; the voice is that of {wanted}"

    return check


def _known_checks(data: Path, tables: Path) -> list[Check]:
    """Checks that speaker and language have a number."""
    checks = []
    for what, table, column in (
        ("speaker", SPEAKERS, speaker_column(data)),
        ("language", LANGUAGES, language_column(data)),
    ):
        known = read_numbers(tables / table)

        def check(utt_id: str, text: str, what=what, table=tables / table, column=column, known=known) -> str | None:
            found = column(utt_id)
            return None if found in known else f"the voice has not learnt the {what} '{found}': not in {table}"

        if known:
            checks.append(check)
    return checks


def get_parser():
    """Return the parser."""
    return make_parser(filter_utterances)


def main(cmd: list[str] | None = None):
    """Run the command line."""
    run(get_parser(), filter_utterances, cmd)


if __name__ == "__main__":
    main()
