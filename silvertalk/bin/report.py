"""Stage 16, report: gather the scores into RESULTS.md."""

from silvertalk.evaluate.report import write_report
from silvertalk.utils.cli import make_parser, run


def report(
    score_dir: str,
    out: str = "RESULTS.md",
    corpus: str = "",
    command: str = "",
    log_dirs: list[str] | None = None,
    talker_score_dirs: list[str] | None = None,
) -> None:
    """Write the results page, and say on standard output how good it is.

    Args:
        score_dir: Folder that score_lips and score_voice wrote to; gets plots and summary.txt.
        out: The page to write.
        corpus: Name of the corpus, for the title.
        command: The command that made the results.
        log_dirs: Folders whose job logs tell how long the stages took, e.g. dump exp.
        talker_score_dirs: The same of other talkers with the same clips, each as NAME=FOLDER (makeittalk=exp/...).
    """
    others = dict(entry.split("=", 1) for entry in talker_score_dirs or [])
    print(write_report(score_dir, out, corpus, command, log_dirs or [], others))


def get_parser():
    """Return the parser."""
    return make_parser(report)


def main(cmd: list[str] | None = None):
    """Run the command line."""
    run(get_parser(), report, cmd)


if __name__ == "__main__":
    main()
