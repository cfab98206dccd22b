"""Every shell script parses, is executable, and is clean."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

SCRIPTS = sorted(
    path
    for pattern in ("*.sh", "local/*.sh", "tools/*.sh", "egs/*/*/*.sh", "egs/*/*/local/*.sh", ".ci/run")
    for path in ROOT.glob(pattern)
)


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_script(path):
    assert path.read_text().startswith("#!/usr/bin/env bash\n")
    assert os.access(path, os.X_OK) or path.parent.name == "local"
    subprocess.run(["bash", "-n", path], check=True)


def test_shellcheck():
    shellcheck = Path(sys.executable).with_name("shellcheck")  # of the lock
    result = subprocess.run([shellcheck, "-x", *SCRIPTS], cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout
