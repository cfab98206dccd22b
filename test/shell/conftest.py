"""Running shell scripts in tests."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def root() -> Path:
    """The repository's root."""
    return ROOT


@pytest.fixture
def shell(tmp_path):
    """A function that runs a command in ``tmp_path`` with this test's Python as the environment.

    Its result has ``returncode``, and standard output and error together in ``stdout``.
    """

    def run(*command, cwd: Path = tmp_path, timeout: float = 60, **variables) -> subprocess.CompletedProcess:
        environment = os.environ | {"SILVERTALK_PYTHON": sys.executable} | variables
        return subprocess.run(
            [str(part) for part in command],
            cwd=cwd,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=timeout,
            check=False,
        )

    return run
