"""A recipe that is called from Python, and the one table of stages."""

import logging
import shlex
from pathlib import Path

import pytest

from silvertalk.recipe import Recipe, read_options, read_stages, run_stages

ROOT = Path(__file__).resolve().parents[1]
RUN = """#!/usr/bin/env bash
# A recipe for tests.
set -euo pipefail
stage=1        # first stage
stop_stage=17  # last stage
db_root=       # a path
say_text=      # a text
download=false # fetch it
. "${BASH_SOURCE[0]%/*}/local/common.sh"
parse_options "$@"
trap 'report_failure $?' EXIT
cd "${BASH_SOURCE[0]%/*}"
if stage_begin 2 "data -> audio" marker=audio/.done options="say_text download" output=audio; then
    echo "${db_root}|${say_text}|${download}" >audio/made
    stage_end
fi
if stage_begin 3 "audio -> face" marker=face/.done reads=2:audio/.done output=face; then
    echo "no face in ${db_root}"
    [ "${db_root}" != faceless ]
    stage_end
fi
"""


@pytest.fixture
def checkout(tmp_path):
    """A checkout with a recipe of two stages, below a folder with a space."""
    root = tmp_path / "a checkout"
    (root / "local").mkdir(parents=True)
    for name in ("common.sh", "stages.txt"):
        (root / "local" / name).write_text((ROOT / "local" / name).read_text())
    (root / "run.sh").write_text(RUN)
    (root / "run.sh").chmod(0o755)
    recipe = root / "egs/mini/av1/run.sh"
    recipe.parent.mkdir(parents=True)
    recipe.write_text('#!/usr/bin/env bash\nexec "${BASH_SOURCE[0]%/*}/../../../run.sh" --db_root egs "$@"\n')
    recipe.chmod(0o755)
    return root


def test_stages_by_name_with_options_of_any_kind(checkout, caplog):
    caplog.set_level(logging.INFO)
    recipe = Recipe(checkout / "egs/mini/av1", say_text='--it\'s; $HOME\t"me"', download=True)
    recipe.run("audio_dump", "face-dump")
    assert (checkout / "audio/made").read_text() == 'egs|--it\'s; $HOME\t"me"|true\n'
    assert "Stage 2: finished" in caplog.text and "Stage 3: finished" in caplog.text
    caplog.clear()
    run_stages(checkout, stage=2, stop_stage="audio_dump", say_text='--it\'s; $HOME\t"me"', download=True)
    assert "already done" in caplog.text and "Stage 3" not in caplog.text


def test_a_failed_stage_is_told_with_its_log_and_the_command(checkout):
    recipe = Recipe(checkout, db_root="faceless")
    with pytest.raises(RuntimeError, match=r"stage 3 \(face_dump\) failed") as failed:
        recipe.run("audio_dump")
    lines = str(failed.value).splitlines()
    assert "no face in faceless" in lines
    assert shlex.split(lines[-1].removeprefix("run again: ")) == recipe.command("audio_dump")
    with pytest.raises(RuntimeError, match="run.sh failed .*\n.*--download takes true or false"):
        Recipe(checkout, download="perhaps").run(1, 1)


def test_what_there_is_not_is_refused_before_anything_runs(checkout, tmp_path):
    with pytest.raises(ValueError, match="no option colour"):
        Recipe(checkout, colour="red")
    with pytest.raises(ValueError, match="no option stage, which run"):
        Recipe(checkout, stage="sync")
    with pytest.raises(FileNotFoundError, match="name the folder of a recipe"):
        Recipe(tmp_path)
    recipe = Recipe(checkout)
    with pytest.raises(ValueError, match="no stage faces; there are: 1 data, 2 audio_dump, 3 face_dump"):
        recipe.run("faces")
    with pytest.raises(ValueError, match="stage sync lies after stage face_dump"):
        recipe.run("sync", "face_dump")
    assert not (checkout / "audio").exists()


def test_options_and_stages_of_the_real_one():
    assert {"stage", "db_root", "ngpu", "translation_exp", "whisper_model"} <= set(read_options(ROOT))
    assert "asked" not in read_options(ROOT)
    assert [stage.number for stage in read_stages(ROOT)] == list(range(1, 18))
    command = Recipe(ROOT / "egs/grid/av1", nj=3).command("decode", 16)
    assert command == [str(ROOT / "egs/grid/av1/run.sh"), "--nj=3", "--stage=15", "--stop_stage=16"]


def test_the_readme_has_the_table():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    rows = [line.split(" | ")[:3] for line in text.split("## Stages")[1].split("\n## ")[0].splitlines()]
    rows = [(row[0].removeprefix("| "), row[1].strip("`"), row[2]) for row in rows if row[0].startswith("| ")]
    assert rows[1:] == [(str(stage.number), stage.name, stage.title) for stage in read_stages(ROOT)]
