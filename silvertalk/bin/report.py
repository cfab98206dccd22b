"""Stage 16, report: gather the scores into RESULTS.md."""

from pathlib import Path

from silvertalk.evaluate.report import write_report
from silvertalk.utils.cli import worker


def report(
    score_dir: str,
    out: str = "RESULTS.md",
    corpus: str = "",
    command: str = "",
    log_dirs: list[str] | None = None,
    portrait_score_dir: str | None = None,
    talker_score_dirs: list[str] | None = None,
) -> None:
    """Write the results page, and say on standard output how good it is.

    Args:
        score_dir: Folder that score_lips and score_voice wrote to; gets plots and summary.txt.
        out: The page to write.
        corpus: Name of the corpus, for the title.
        command: The command that made the results.
        log_dirs: Folders whose job logs tell how long the stages took, e.g. dump exp.
        portrait_score_dir: The same of the portraits; short for --talker_score_dirs makeittalk=FOLDER.
        talker_score_dirs: The same of further talkers, NAME=FOLDER each; without NAME= they are called after the
            experiment, as in exp/EXPERIMENT/decode/scores.
    """
    talkers = {"makeittalk": portrait_score_dir} if portrait_score_dir else {}
    for entry in talker_score_dirs or []:
        name, _, folder = entry.rpartition("=")
        name = name or Path(folder).absolute().parents[1].name
        if name in talkers:
            raise ValueError(f"two talkers are called '{name}'; give --talker_score_dirs NAME=FOLDER with other names")
        talkers[name] = folder
    print(write_report(score_dir, out, corpus, command, log_dirs or [], talkers))


get_parser, main = worker(report)


if __name__ == "__main__":
    main()
