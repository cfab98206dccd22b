"""AI Hub 98 -> dialogues for a counsellor, prompts for a voice."""

import contextlib
import logging
from pathlib import Path

from silvertalk.data import aihub98
from silvertalk.data.corpus import SETS
from silvertalk.data.kaldi import sorted_table
from silvertalk.utils import atomic_path, progress, write_text
from silvertalk.utils.cli import make_parser, run

SPEAKERS = {
    "counsellor": (aihub98.COUNSELLOR,),
    "customer": (aihub98.CUSTOMER,),
    "both": (aihub98.COUNSELLOR, aihub98.CUSTOMER),
}


def prepare(
    db_root: str,
    out: str = "data",
    dev_share: float = 0.02,
    eval_share: float = 0.02,
    speaker: str = "counsellor",
    min_length: int = 10,
    max_length: int = 60,
    digits: bool = False,
    max_skipped: float = 0.5,
) -> None:
    """Write data/{tr_no_dev,dev,eval1}/{dialogues.jsonl,text} and skipped.tsv.

    Args:
        db_root: Folder that holds 1.Training and 2.Validation, or what there is of them.
        out: Folder for the sets.
        dev_share: Part of the training dialogues for dev.
        eval_share: Part for eval1, where the corpus' own Validation is not there.
        speaker: Whose sentences become prompts in text: counsellor, customer or both.
        min_length: Fewest characters of a prompt.
        max_length: Most characters of a prompt.
        digits: Whether a prompt may hold digits.
        max_skipped: Largest share of unusable files and records that is no error.
    """
    if speaker not in SPEAKERS:
        raise ValueError(f"--speaker takes {', '.join(SPEAKERS)}, not '{speaker}'")
    skipped: dict[str, str] = {}
    sources = aihub98.find_files(db_root, skipped)
    if not any(source.is_validation for source in sources):
        logging.info("%s holds no Validation: eval1 gets %g of the dialogues", db_root, eval_share)
    else:
        eval_share = 0.0
    dialogues = aihub98.Dialogues(skipped)
    prompts = aihub98.Prompts(SPEAKERS[speaker], min_length, max_length, digits)
    count = dict.fromkeys(SETS, 0)
    with contextlib.ExitStack() as stack:
        tables = {name: _tables(stack, Path(out) / name) for name in SETS}
        for source in progress(sources, desc="AI Hub 98", total=len(sources)):
            for dialogue in dialogues.read(source):
                name = _set_of(dialogue, source.is_validation, dev_share, eval_share)
                add_dialogue, add_prompt = tables[name]
                count[name] += 1
                add_dialogue(dialogue.to_json() + "\n")
                for utt_id, text in prompts.of(dialogue):
                    add_prompt(utt_id, text)
        write_text(Path(out) / "skipped.tsv", "".join(f"{key}\t{skipped[key]}\n" for key in sorted(skipped)))
        # Inside, so that no set appears when one of them is not right.
        _check(count, skipped, len(sources) + dialogues.num_records, max_skipped, out)
    for name in SETS:
        logging.info("%s/%s: %d dialogues", out, name, count[name])
    logging.info("%d dialogues left out that came before", dialogues.num_repeated)
    logging.info("turns that are no prompts: %s", prompts.left_out or "none")
    logging.info("%d left out%s", len(skipped), f", listed with reasons in {out}/skipped.tsv" if skipped else "")


def _tables(stack: contextlib.ExitStack, folder: Path) -> tuple:
    """What adds a line to dialogues.jsonl, and what adds an entry to text, of one set."""
    out = open(stack.enter_context(atomic_path(folder / "dialogues.jsonl")), "w", encoding="utf-8")  # noqa: SIM115
    stack.enter_context(out)
    return out.write, stack.enter_context(sorted_table(folder / "text"))


def _set_of(dialogue: aihub98.Dialogue, is_validation: bool, dev_share: float, eval_share: float) -> str:
    """Choose a dialogue's set; by its id, so that one more file changes nothing for the others."""
    share = aihub98.share_of(dialogue.id)
    if is_validation or share < eval_share:
        return "eval1"
    return "dev" if share < eval_share + dev_share else "tr_no_dev"


def _check(count: dict[str, int], skipped: dict[str, str], total: int, max_skipped: float, out: str) -> None:
    if len(skipped) > max_skipped * total:
        first = min(skipped)
        raise RuntimeError(
            f"{len(skipped)} of {total} files and records cannot be used (first: '{first}': {skipped[first]}); "
            f"see {out}/skipped.tsv"
        )
    for name in SETS:
        if not count[name]:
            raise ValueError(f"no dialogue is left for {name}; give a fuller corpus or larger shares for it")


def get_parser():
    """Return the parser."""
    return make_parser(prepare, description=aihub98.__doc__)


def main(cmd: list[str] | None = None) -> None:
    """Run the command line."""
    run(get_parser(), prepare, cmd)


if __name__ == "__main__":
    main()
