"""Logs and progress bars, the same in every worker."""

import logging
import os
import sys
from collections.abc import Iterable

from tqdm import tqdm


def setup_logging(verbose: bool = False) -> None:
    """Configure the root logger; called by ``main`` functions only."""
    logging.basicConfig(
        level=logging.DEBUG if verbose else logging.INFO,
        format="%(asctime)s (%(module)s:%(lineno)d) %(levelname)s: %(message)s",
        stream=sys.stderr,
        force=True,
    )


def progress(iterable: Iterable, desc: str | None = None, total: int | None = None) -> tqdm:
    """Wrap an iterable in a bar that stays silent when nobody watches.

    The job runner, which shows the end of a job's log on its terminal, says
    through SILVERTALK_PROGRESS that somebody does.
    """
    watched = sys.stderr.isatty() or os.environ.get("SILVERTALK_PROGRESS") == "true"
    return tqdm(iterable, desc=desc, total=total, disable=not watched, leave=False, mininterval=0.5)
