"""A recipe from Python, stage by stage: run.sh with checked options.

>>> from silvertalk.recipe import Recipe, run_stages
>>> Recipe("egs/mini/av1", workdir="work").run("audio_dump", "sync")
>>> run_stages("egs/grid/av1", stage="face_dump", stop_stage="sync", db_root="/data/grid", nj=8)
"""

import logging
import os
import re
import shlex
import subprocess
from collections import deque
from dataclasses import dataclass
from pathlib import Path

STAGES = "local/stages.txt"
LAST_LINES = 30  # of the log, in the message of a failure


@dataclass(frozen=True)
class Stage:
    """A stage of run.sh."""

    number: int
    name: str
    title: str


def read_stages(root: str | os.PathLike) -> list[Stage]:
    """Read the table of stages of a checkout."""
    lines = Path(root, STAGES).read_text(encoding="utf-8").splitlines()
    rows = [line.split(maxsplit=2) for line in lines if line and not line.startswith("#")]
    return [Stage(int(number), name, title) for number, name, title in rows]


def read_options(root: str | os.PathLike) -> list[str]:
    """Read the names of run.sh's options: those that it declares above its call of parse_options."""
    declared = Path(root, "run.sh").read_text(encoding="utf-8").split("\nparse_options ")[0]
    return re.findall(r"^([a-z][a-z0-9_]*)=.*# ", declared, re.M)


class Recipe:
    """A recipe with its options.

    Args:
        folder: A recipe's folder, as egs/grid/av1, or a checkout, whose run.sh is that of the mini recipe.
        **options: Options of run.sh; True and False become true and false, and of a list the words are joined.

    Raises:
        FileNotFoundError: There is no run.sh in the folder, or it lies in no checkout of Silvertalk.
        ValueError: run.sh has no such option.
    """

    def __init__(self, folder: str | os.PathLike, **options):
        folder = Path(folder).absolute()
        if not (folder / "run.sh").is_file():
            raise FileNotFoundError(f"no {folder}/run.sh; name the folder of a recipe, as egs/mini/av1")
        root = next((place for place in (folder, *folder.parents) if (place / STAGES).is_file()), None)
        if root is None:
            raise FileNotFoundError(f"no {STAGES} above {folder}; a recipe lies in a checkout of Silvertalk")
        self.stages = read_stages(root)
        unknown = sorted(options.keys() - set(read_options(root)))
        if unknown or options.keys() & {"stage", "stop_stage"}:
            wrong = unknown[0] if unknown else "stage, which run() takes"
            raise ValueError(f"{folder}/run.sh is given no option {wrong}; {folder}/run.sh --help lists all")
        self._command = [str(folder / "run.sh"), *_words(options)]

    def command(self, stage: str | int | None = None, stop_stage: str | int | None = None) -> list[str]:
        """Return the command of a range of stages; one that is left out is the first or the last.

        Raises:
            ValueError: There is no such stage, or the first one lies behind the last.
        """
        first, last = (None if given is None else self._number(given) for given in (stage, stop_stage))
        if first is not None and last is not None and first > last:
            raise ValueError(f"stage {stage} lies after stage {stop_stage}")
        asked = {"stage": first, "stop_stage": last}
        return [*self._command, *_words({name: number for name, number in asked.items() if number is not None})]

    def run(self, stage: str | int | None = None, stop_stage: str | int | None = None) -> None:
        """Run a range of stages; the log is handed on to ``logging``, line by line.

        Args:
            stage: First stage, by name or number.
            stop_stage: Last stage.

        Raises:
            RuntimeError: A stage failed; the message ends with the log's last lines and the command to repeat.
        """
        command, last_lines = self.command(stage, stop_stage), deque(maxlen=LAST_LINES)
        with subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        ) as process:
            try:
                for line in process.stdout:
                    last_lines.append(line.rstrip())
                    logging.info("%s", last_lines[-1])
            except BaseException:
                process.terminate()  # run.sh's jobs notice
                raise
        if process.returncode:
            failed = re.findall(r"Stage (\d+): failed", "\n".join(last_lines))
            what = f"stage {self._called(int(failed[-1]))}" if failed else "run.sh"
            raise RuntimeError(
                f"{what} failed (code {process.returncode}):\n"
                + "\n".join(last_lines)
                + f"\nrun again: {shlex.join(command)}"
            )

    def _number(self, stage: str | int) -> int:
        for known in self.stages:
            if str(stage).replace("-", "_") in (known.name, str(known.number)):
                return known.number
        names = ", ".join(f"{known.number} {known.name}" for known in self.stages)
        raise ValueError(f"there is no stage {stage}; there are: {names}")

    def _called(self, number: int) -> str:
        return next((f"{number} ({known.name})" for known in self.stages if known.number == number), str(number))


def run_stages(
    folder: str | os.PathLike, stage: str | int | None = None, stop_stage: str | int | None = None, **options
) -> None:
    """Run a range of stages of a recipe; see ``Recipe``."""
    Recipe(folder, **options).run(stage, stop_stage)


def _words(options: dict) -> list[str]:
    """Options as words of a command line; --name=value, because a value may begin with a dash."""
    return [f"--{name}={_text(value)}" for name, value in options.items() if value is not None]


def _text(value) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return " ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
