"""Options and the rule for finished stages, on a recipe of two stages that copies a file."""

import os
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest

RECIPE = r"""#!/usr/bin/env bash
# A recipe for tests.
set -euo pipefail
# -- Which stages
stage=1        # first stage
stop_stage=9   # last stage
overwrite=false         # do it again
continue_changed=false  # go on
fs=16000       # Hz
               # of the sound
share=0.5      # a share
db_root=       # a path
model=model.yaml  # a config
. "@ROOT@/local/common.sh"
parse_options "$@"
absolute_paths db_root
cd "${WORK:-.}"
trap 'report_failure $?' EXIT
if stage_begin 1 "corpus -> data" marker=data/.done options="fs share" output=data; then
    echo "x ${fs}" >>data/x
    sleep "${SLEEP:-0}"
    "${BREAK:-true}"
    stage_end
fi
if stage_begin 2 "data -> exp/m" marker=exp/m/.done reads=1:data/.done config=model output=exp/m ${REDO:-}; then
    need data/x 1
    cat data/x >exp/m/model
    stage_end
fi
echo "db_root=${db_root} share=${share} fs=${fs}"
"""


@pytest.fixture
def recipe(tmp_path, root, shell):
    """Run the recipe in ``tmp_path`` with options; keywords are environment variables."""
    script = tmp_path / "recipe.sh"
    script.write_text(RECIPE.replace("@ROOT@", str(root)))
    script.chmod(0o755)
    (tmp_path / "model.yaml").write_text("width: 1\n")
    return lambda *options, **variables: shell(script, *options, **variables)


def test_help_is_made_from_the_comments(recipe):
    result = recipe("--help")
    assert result.returncode == 0
    assert "A recipe for tests." in result.stdout
    assert "Which stages:" in result.stdout
    line = next(line for line in result.stdout.splitlines() if "--fs" in line)
    assert line.split() == ["--fs", "Hz", "[16000]"]
    assert "of the sound" in result.stdout


@pytest.mark.parametrize(
    "options",
    [
        ["--stop_stage", "1", "--share", "0.25"],
        ["--stop-stage", "1", "--share=0.25"],
        ["--stop-stage=1", "--share", "1", "--share", "0.25"],
        ["--stage=data", "--stop-stage", "data", "--share", "0.25"],
    ],
)
def test_option_forms(recipe, tmp_path, options):
    result = recipe(*options, "--overwrite")
    assert result.returncode == 0
    assert "share=0.25" in result.stdout
    assert (tmp_path / "data/.done").exists() and not (tmp_path / "exp").exists()


@pytest.mark.parametrize(
    "options, message",
    [
        (["--stop_stagge", "1"], "unknown option --stop_stagge, did you mean --stop_stage?"),
        (["--PATH", "x"], "unknown option --PATH"),
        (["--stage", "two"], "--stage takes a stage's number or name, not 'two'; there are: 1 data, "),
        (["--share", "much"], "--share takes a number, not 'much'"),
        (["--overwrite", "yes"], "--overwrite takes true or false, not 'yes'"),
        (["--fs"], "--fs needs a value"),
        (["data"], "'data' is not an option"),
        (["--model", "none.yaml"], "no none.yaml; give --model an existing YAML file"),
    ],
)
def test_bad_options_end_with_the_next_step(recipe, options, message):
    result = recipe(*options)
    assert result.returncode == 1
    assert message in result.stdout
    assert re.search("--help|give|there are", result.stdout)


def test_a_given_relative_path_is_meant_from_where_the_user_is(recipe, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/model.yaml").write_text("width: 1\n")
    result = recipe("--db_root", "corpus", WORK="elsewhere")
    assert f"db_root={tmp_path}/corpus " in result.stdout


def test_the_second_run_does_nothing(recipe, tmp_path):
    assert recipe().returncode == 0
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    result = recipe()
    assert result.returncode == 0
    assert result.stdout.count("already done") == 2
    assert before == {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}


def test_changed_options_stop_the_stage(recipe, tmp_path):
    recipe()
    result = recipe("--fs", "22050")
    assert result.returncode == 1
    assert "stage 1 (data) was made with other options (fs: 16000 -> 22050)" in result.stdout
    assert "--stage 1 --overwrite true" in result.stdout
    assert (tmp_path / "data/x").read_text() == "x 16000\n"
    assert recipe().returncode == 0  # the old options still fit


def test_overwrite_removes_and_repeats(recipe, tmp_path):
    recipe()
    (tmp_path / "data/old").write_text("of the first run")
    assert recipe("--fs", "22050", "--overwrite", "true").returncode == 0
    assert (tmp_path / "exp/m/model").read_text() == "x 22050\n"
    assert not (tmp_path / "data/old").exists()


def test_continue_changed_keeps_what_is_there(recipe, tmp_path):
    recipe()
    assert recipe("--fs", "22050", "--continue_changed", "true").returncode == 0
    assert (tmp_path / "data/x").read_text() == "x 16000\nx 22050\n"


def test_a_changed_config_or_input_is_noticed(recipe, tmp_path):
    recipe()
    (tmp_path / "model.yaml").write_text("width: 2\n")
    result = recipe()
    assert result.returncode == 1 and "model: model.yaml" in result.stdout
    (tmp_path / "model.yaml").write_text("width: 1\n")
    assert recipe("--stop_stage", "1", "--overwrite", "true").returncode == 0
    result = recipe()
    assert result.returncode == 1 and "output of stage 1" in result.stdout
    assert recipe(REDO="changed=redo").returncode == 0


def test_a_failed_stage_goes_on_with_the_same_options_only(recipe, tmp_path):
    result = recipe(BREAK="false")
    assert result.returncode == 1
    assert "Stage 1: failed" in result.stdout
    assert not (tmp_path / "data/.done").exists()
    result = recipe("--stage", "2")
    assert result.returncode == 1 and "run stage 1 first" in result.stdout
    assert recipe("--fs", "8000").returncode == 1
    assert recipe().returncode == 0
    assert (tmp_path / "data/x").read_text() == "x 16000\n" * 2


def test_a_stage_that_has_done_nothing_yet_takes_new_options(recipe, tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data/.started").write_text("fs=8000\nshare=0.5\n")
    assert recipe().returncode == 0


def test_files_of_others_are_not_written_over(recipe, tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data/x").write_text("mine\n")
    for options in ([], ["--overwrite", "true"]):
        result = recipe(*options)
        assert result.returncode == 1 and "which this recipe has not made" in result.stdout
    assert recipe("--stage", "2").returncode == 0  # data made by hand is an input like any other
    assert (tmp_path / "exp/m/model").read_text() == "mine\n"


def test_a_missing_input_names_the_stage(recipe):
    result = recipe("--stage", "2")
    assert result.returncode == 1
    assert "no data/x; run stage 1" in result.stdout


def test_an_unwritable_folder_is_named(recipe):
    # Nobody, root included, can make files in /proc.
    result = recipe("--model", "/dev/stdin", WORK="/proc/self")
    assert result.returncode == 1
    assert "cannot make /proc/" in result.stdout and "--workdir" in result.stdout


def test_a_full_disk_is_named(recipe, tmp_path):
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "df").write_text("#!/bin/sh\nprintf 'a b c d\\n/dev/x 100 99 1 99%% /\\n'\n")
    (tools / "df").chmod(0o755)
    result = recipe(PATH=f"{tools}:{os.environ['PATH']}")
    assert result.returncode == 1
    assert "only 1 MB free" in result.stdout
    assert not (tmp_path / "data").exists()


def test_two_runs_do_not_share_a_stage(recipe, tmp_path, root):
    first = subprocess.Popen([tmp_path / "recipe.sh"], cwd=tmp_path, env=os.environ | {"SLEEP": "2"})
    _wait_for(tmp_path / "data/x")
    result = recipe()
    assert first.wait(timeout=20) == 0
    assert result.returncode == 0
    assert "waits for jobs of an earlier run" in result.stdout
    assert (tmp_path / "data/x").read_text() == "x 16000\n"


def test_killed_and_started_again(recipe, tmp_path):
    run = subprocess.Popen(
        [tmp_path / "recipe.sh"], cwd=tmp_path, env=os.environ | {"SLEEP": "30"}, start_new_session=True
    )
    _wait_for(tmp_path / "data/x")
    os.killpg(run.pid, signal.SIGKILL)
    run.wait()
    assert recipe().returncode == 0
    assert (tmp_path / "data/.done").exists() and not (tmp_path / "data/.started").exists()


def _wait_for(path: Path, seconds: float = 10) -> None:
    end = time.time() + seconds
    while not path.exists():
        assert time.time() < end, f"{path} did not appear"
        time.sleep(0.05)
