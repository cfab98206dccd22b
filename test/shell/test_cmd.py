"""cmd.sh: which program starts the jobs."""

import pytest


@pytest.fixture
def cmd(root, shell):
    """Source cmd.sh as run.sh does and show its two commands."""
    script = f'set -euo pipefail; . {root}/path.sh; . {root}/cmd.sh; echo "cpu=<${{train_cmd}}> gpu=<${{cuda_cmd}}>"'
    return lambda **variables: shell("bash", "-c", script, **variables)


def test_this_machine_by_default(cmd):
    assert cmd().stdout == "cpu=<run_local.sh> gpu=<run_local.sh>\n"


def test_slurm(cmd):
    line = cmd(SILVERTALK_CMD_BACKEND="slurm").stdout
    assert line.startswith("cpu=<run_slurm.py ") and "gpu=<run_slurm.py " in line


def test_a_program_of_ones_own(cmd, tmp_path):
    program = tmp_path / "queue.pl"
    result = cmd(SILVERTALK_CMD_BACKEND=f"{program} --config conf/queue.conf")
    assert result.returncode == 1
    assert f"no program '{program}'" in result.stdout and "local, slurm or" in result.stdout
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    result = cmd(SILVERTALK_CMD_BACKEND=f"{program} --config conf/queue.conf")
    assert result.stdout == "cpu=<{0}> gpu=<{0}>\n".format(f"{program} --config conf/queue.conf")


def test_commands_that_are_set_already_stay(cmd):
    assert cmd(train_cmd="run.pl --mem 2G").stdout == "cpu=<run.pl --mem 2G> gpu=<run_local.sh>\n"


def test_one_machine_has_no_second_node(root, shell):
    result = shell(root / "local/run_local.sh", "--num-nodes", "2", "x.log", "true")
    assert result.returncode == 1 and "this is one machine" in result.stdout
    assert shell(root / "local/run_local.sh", "--num-nodes", "1", "x.log", "true").returncode == 0
