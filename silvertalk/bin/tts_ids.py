"""Stages 6 and 8: numbers of the speakers and languages of a set's utterances."""

import logging
from pathlib import Path

from silvertalk.data.kaldi import iter_scp, sorted_table
from silvertalk.tts.speakers import (
    LANGUAGES,
    SPEAKERS,
    language_column,
    read_numbers,
    speaker_column,
    write_numbers,
)
from silvertalk.utils.cli import make_parser, run

KINDS = {"sid": (SPEAKERS, speaker_column), "lid": (LANGUAGES, language_column)}


def write_ids(
    data_dir: str, keys: str, tables: str, out_dir: str, number_speakers: bool = False, number_languages: bool = False
) -> None:
    """Write utt2sid and utt2lid, of those of spk2sid and lang2lid that there are.

    Args:
        data_dir: Folder with utt2spk, text, and perhaps utt2lang; without it the script of the text tells the language.
        keys: Ids of the utterances that are used, one a line, as tts_filter writes them.
        tables: Folder with spk2sid and lang2lid: that of stage 6, or of a voice.
        out_dir: Folder for utt2sid and utt2lid.
        number_speakers: First make spk2sid of the speakers of these utterances.
        number_languages: First make lang2lid of their languages.
    """
    for kind, is_new in (("sid", number_speakers), ("lid", number_languages)):
        name, column = KINDS[kind]
        table, tell = Path(tables) / name, column(data_dir)
        if not is_new and not table.is_file():
            continue
        told = {utt_id: tell(utt_id) for utt_id, _ in iter_scp(keys)}
        if is_new:
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


def get_parser():
    """Return the parser."""
    return make_parser(write_ids)


def main(cmd: list[str] | None = None):
    """Run the command line."""
    run(get_parser(), write_ids, cmd)


if __name__ == "__main__":
    main()
