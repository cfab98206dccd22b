"""run.sh from the first stage to the last, with workers that only make the files they should.

The real workers are tested elsewhere; here it is which stages run, with which options, and what a
second run, a killed run, bad input or a corpus without pictures or words does.
"""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

FAKE_PYTHON = Path(__file__).with_name("fake_python.py")
DATA_SCRIPT = """#!/usr/bin/env bash
set -euo pipefail
# The options that every recipe's data.sh takes.
while [ $# -gt 0 ]; do case "$1" in --out) out=$2 ;; --db_root) db_root=$2 ;; esac; shift 2; done
[ -n "${db_root}" ] || { echo "error: this corpus needs --db_root FOLDER" >&2; exit 1; }
for set in tr_no_dev dev eval1; do
    mkdir -p "${out}/${set}"
    for n in 1 2 3; do echo "a-${set}-${n} a"; done >"${out}/${set}/utt2spk"
    for table in ${TABLES:-wav.scp video.scp text}; do
        for n in 1 2 3; do echo "a-${set}-${n} some ${table}"; done >"${out}/${set}/${table}"
    done
done
"""
PORTRAIT = [11, 11, 12, 13, 14]
DECODING = [15, 15, 15, 15]  # lips and portraits of the test set, and one sentence by each
ALL_STAGES = [*range(1, 11), *PORTRAIT, *DECODING, 16]


@pytest.fixture
def recipe(tmp_path, root, shell):
    """Run run.sh in ``tmp_path/work``; options come last, keywords are environment variables."""
    (tmp_path / "bin").mkdir()
    fake = tmp_path / "bin/python"
    fake.write_text(f'#!/bin/sh\nexec {sys.executable} -I {FAKE_PYTHON} "$@"\n')
    fake.chmod(0o755)
    data = tmp_path / "recipe/local/data.sh"
    data.parent.mkdir(parents=True)
    data.write_text(DATA_SCRIPT)
    data.chmod(0o755)
    fixed = ["--workdir", "work", "--corpus", "test", "--local_data", data, "--db_root", "corpus", "--nj", "2"]

    def run(*options, **variables):
        return shell(root / "run.sh", *fixed, *options, SILVERTALK_PYTHON=str(fake), **variables)

    run.command = [root / "run.sh", *fixed]
    run.environment = os.environ | {"SILVERTALK_PYTHON": str(fake)}
    return run


def begun(result) -> list[int]:
    """Numbers of the stages that a run worked on."""
    assert result.returncode == 0, result.stdout
    return [int(n) for n in re.findall(r"Stage (\d+): finished", result.stdout)]


def workers(tmp_path, name: str) -> list[list[str]]:
    """Arguments of every call of a worker so far."""
    lines = (tmp_path / "work/calls.txt").read_text().splitlines()
    return [line.split("\t")[1:] for line in lines if line.split("\t")[0].endswith(name)]


def tree(folder: Path) -> dict[str, str]:
    """Text of every file but logs and markers."""
    return {
        str(path.relative_to(folder)): path.read_text()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
        and "log" not in path.parts
        and path.suffix != ".log"
        and path.name not in (".done", "calls.txt")
    }


def test_all_stages_and_a_second_run(recipe, tmp_path):
    result = recipe()
    assert begun(result) == ALL_STAGES
    assert (tmp_path / "work/RESULTS.md").exists()
    assert "how good it is" in result.stdout.splitlines()[-3]
    assert "exp/makeittalk_translation_train_makeittalk_translation/say/say.mp4 says" in result.stdout.splitlines()[-2]
    assert "exp/wav2lip_train_wav2lip/say/say.mp4 says" in result.stdout.splitlines()[-1]
    before = tree(tmp_path / "work")
    start = time.time()
    again = recipe()
    assert begun(again) == []
    assert again.stdout.splitlines()[-1].split(") ", 1)[1] == result.stdout.splitlines()[-1].split(") ", 1)[1]
    assert time.time() - start < 10
    assert tree(tmp_path / "work") == before


def test_jobs_share_the_utterances(recipe, tmp_path):
    recipe("--stop_stage", "2", "--fs", "22050")
    calls = workers(tmp_path, "audio_dump")
    assert len(calls) == 6
    for call in calls:
        assert call[call.index("--fs") + 1] == "22050"
        assert call[call.index("--num_jobs") + 1] == "2"
    assert sorted(call[call.index("--job") + 1] for call in calls) == ["1"] * 3 + ["2"] * 3


@pytest.mark.recipe  # seconds
def test_the_language_is_that_of_the_transcripts(recipe, tmp_path):
    """Folders are named after stage 1 then; a later run looks at what it made."""
    options = ["--g2p", "auto", "--token_type", "phn", "--stop_stage", "6"]
    without = recipe(*options, "--stage", "2")
    assert without.returncode and "no data/tr_no_dev/text; run stage 1" in without.stdout
    assert begun(recipe(*options, TABLES="wav.scp text")) == [1, 2, 4, 5, 6]
    [call] = workers(tmp_path, "tts_g2p")
    assert call[call.index("--text") + 1] == "data/tr_no_dev/text" and call[call.index("--language") + 1] == "auto"
    assert all("--voice.language\tko" in "\t".join(call) for call in workers(tmp_path, "tts_prepare"))
    assert (tmp_path / "work/exp/tts_stats_raw_phn_none_korean_jaso/.done").is_file()
    assert begun(recipe(*options)) == []
    again = recipe(*options, "--stage", "1", "--overwrite", "true", TABLES="wav.scp text")
    assert begun(again) == [1, 2, 4, 5, 6]


def test_the_level_is_handed_on_and_noticed(recipe, tmp_path):
    wrong = recipe("--level", "23")
    assert wrong.returncode and "--level takes none, or dB below full scale as -23, not '23'" in wrong.stdout
    assert begun(recipe("--stop_stage", "2", "--level", "-23")) == [1, 2]
    assert all(call[call.index("--level") + 1] == "-23" for call in workers(tmp_path, "audio_dump"))
    other = recipe("--stop_stage", "2")
    assert other.returncode and "level: -23 -> (none)" in other.stdout


@pytest.mark.recipe  # seconds
def test_a_voice_of_several_speakers(recipe, tmp_path):
    """Embeddings are made beside the token list; test/tts/training/test_arguments.py has what ESPnet is told."""
    options = ["--use_sid", "true", "--use_spk_embed", "true", "--stop_stage", "8"]
    assert begun(recipe(*options, TABLES="wav.scp text")) == [1, 2, 4, 5, 5, 6, 7, 8]
    stats, train, decode = workers(tmp_path, "tts_prepare")
    for call in (stats, train, decode):
        given = dict(zip(call, call[1:], strict=False))
        asked = [given[f"--voice.use_{name}"] for name in ("sid", "lid", "spk_embed")]
        assert asked == ["true", "false", "true"]
    assert stats[stats.index("--spk") + 1] == ""  # of all speakers
    changed = recipe("--use_sid", "true", "--stage", "6", "--stop_stage", "6")
    assert changed.returncode and "use_spk_embed: true -> (none)" in changed.stdout


def test_a_range_of_stages(recipe, tmp_path):
    assert begun(recipe("--stop_stage", "audio-dump")) == [1, 2]
    assert begun(recipe("--stage", "face_dump", "--stop_stage", "sync")) == [3, 4]
    assert begun(recipe("--stage", "9", "--stop-stage", "10", "--wav2lip_train_args", "--trainer.max_epoch 2")) == [
        9,
        10,
    ]
    call = workers(tmp_path, "train_wav2lip")[0]
    assert call[call.index("--trainer.max_epoch") + 1] == "2"


@pytest.mark.recipe  # seconds
def test_another_sentence_is_said_without_decoding_again(recipe, tmp_path):
    recipe()
    assert begun(recipe("--say_text", "something else")) == [15, 15]
    assert "something else" in (tmp_path / "work/exp/wav2lip_train_wav2lip/say/say.mp4").read_text()


def test_a_corpus_without_video(recipe, tmp_path):
    result = recipe(TABLES="wav.scp text")
    assert begun(result) == [1, 2, 4, 5, 6, 7, 8, 16]
    assert "test has no video" in result.stdout
    assert not (tmp_path / "work/dump/face").exists()


@pytest.mark.recipe  # seconds
def test_another_recogniser_scores_again(recipe, tmp_path):
    wrong = recipe("--recogniser", "htk")
    assert wrong.returncode and "--recogniser takes auto, grammar, lm, whisper or none" in wrong.stdout
    recipe(TABLES="wav.scp text")
    assert begun(recipe("--recogniser", "whisper", "--whisper_model", "weights", "--language", "ko")) == [16]
    first, again = workers(tmp_path, "score_voice")[0], workers(tmp_path, "score_voice")[-1]
    assert first[first.index("--recogniser") + 1] == "auto" and "--whisper_model" not in first
    assert again[again.index("--whisper_model") + 1].endswith("/weights")
    assert again[again.index("--recogniser") + 1] == "whisper" and again[again.index("--language") + 1] == "ko"


@pytest.mark.recipe  # seconds
def test_a_corpus_without_transcripts(recipe):
    result = recipe("--token_type", "phn", "--g2p", "auto", TABLES="wav.scp video.scp")
    assert begun(result) == [1, 2, 3, 4, 9, 10, *PORTRAIT, 15, 15, 16]
    assert "test has no transcripts" in result.stdout


@pytest.mark.recipe  # seconds
def test_without_portraits(recipe, tmp_path):
    result = recipe("--portrait", "false")
    assert begun(result) == [*range(1, 11), 15, 15, 16]
    [call] = workers(tmp_path, "report")
    assert "--talker_score_dirs" not in call


@pytest.mark.recipe  # seconds
def test_a_talker_of_another_package(recipe, tmp_path):
    """One that run.sh knows nothing of is decoded, speaks and is scored, alone or beside others."""
    assert begun(recipe("--stop_stage", "8")) == [*range(1, 9)]
    result = recipe("--talkers", "clay=weights", "--stage", "decode")
    assert begun(result) == [15, 15, 16]
    calls = workers(tmp_path, "face_decode")
    for call in calls:
        assert call[:4] == ["--model", "clay", "--exp", str(tmp_path / "weights")]
    assert {call[call.index("--out_dir") + 1] for call in calls} == {
        f"exp/clay/decode_train.total_count.ave/{name}" for name in ("dev", "eval1")
    }
    [say] = workers(tmp_path, "silvertalk")
    assert say[-4:] == calls[0][:4]
    assert (tmp_path / "work/exp/clay/say/say.mp4").is_file()
    [report] = workers(tmp_path, "report")
    assert report[report.index("--score_dir") + 1] == "exp/clay/decode_train.total_count.ave/scores"
    assert begun(recipe("--talkers", "wav2lip clay", "--portrait", "false")) == [9, 10, 15, 15, 15, 15, 16]
    call = workers(tmp_path, "report")[-1]
    assert "clay=exp/clay/decode_train.total_count.ave/scores" in call
    assert workers(tmp_path, "face_decode")[-1][:2] == ["--model", "clay"]  # without weights of its own


@pytest.mark.recipe  # seconds
def test_portraits_by_published_networks(recipe, tmp_path):
    options = []
    for model in ("autovc", "content", "speaker", "translation"):
        (tmp_path / f"ckpt {model}.pth").touch()
        options += [f"--{model}_exp", f"ckpt {model}.pth"]
    result = recipe(*options, "--portrait_statistics", "published code")
    assert begun(result) == [*range(1, 11), *DECODING, 16]
    call = next(call for call in workers(tmp_path, "face_decode") if "makeittalk" in call)
    assert call[call.index("--translation_exp") + 1] == str(tmp_path / "ckpt translation.pth")
    assert call[call.index("--statistics") + 1] == str(tmp_path / "published code")
    # One published network, the others of this recipe.
    (tmp_path / "work").rename(tmp_path / "before")
    result = recipe(*options[:2])
    assert begun(result) == [*range(1, 11), 11, 12, 13, 14, *DECODING, 16]
    [call] = workers(tmp_path, "train_makeittalk_content")
    assert call[call.index("--train_dir") + 1] == "dump/makeittalk/tr_no_dev"


@pytest.mark.recipe  # seconds
def test_fine_tuning(recipe, tmp_path):
    (tmp_path / "expert.pth").touch()
    (tmp_path / "face of me").mkdir()
    models = ["--init_syncnet", "expert.pth", "--init_wav2lip", "face of me"]
    result = recipe(*models, "--stop_stage", "10", TABLES="wav.scp video.scp")
    assert begun(result) == [1, 2, 3, 4, 9, 10]
    for worker, model in (("syncnet", "expert.pth"), ("wav2lip", "face of me")):
        [call] = workers(tmp_path, f"train_{worker}")
        assert call[call.index("--init") + 1] == str(tmp_path / model)
        assert call[call.index("--config") + 1].endswith(f"conf/finetune_{worker}.yaml")
        assert (tmp_path / f"work/exp/{worker}_finetune_{worker}/config.yaml").is_file()
    result = recipe("--init_wav2lip", "none.pth")
    assert result.returncode == 1 and "none.pth; give --init_wav2lip" in result.stdout


@pytest.mark.recipe  # seconds
def test_models_of_another_recipe(recipe, tmp_path):
    recipe()
    (tmp_path / "work").rename(tmp_path / "other")
    models = tmp_path / "other/exp"
    before = tree(models)
    voice = [path.name for path in models.glob("tts_train*")][0]
    result = recipe("--tts_exp", f"other/exp/{voice}", "--wav2lip_exp", "other/exp/wav2lip_train_wav2lip")
    assert begun(result) == [1, 2, 3, 4, 8, *PORTRAIT, *DECODING, 16]
    assert tree(models) == before
    result = recipe("--tts_exp", "other/exp/none")
    assert result.returncode == 1 and "other/exp/none; give --tts_exp" in result.stdout


@pytest.mark.recipe  # seconds
def test_a_failing_worker_stops_the_run_and_the_next_one_goes_on(recipe, tmp_path):
    result = recipe(FAIL="train_syncnet")
    assert result.returncode == 1
    assert "train_syncnet was told to fail" in result.stdout and "train.log" in result.stdout
    assert "Stage 9: failed" in result.stdout
    assert begun(recipe()) == [9, 10, *PORTRAIT, *DECODING, 16]


@pytest.mark.recipe  # seconds
def test_killed_again_and_again(recipe, tmp_path):
    assert recipe().returncode == 0
    whole = tree(tmp_path / "work")
    (tmp_path / "work").rename(tmp_path / "whole")
    for worker in (
        "face_dump",
        "sync_filter",
        "gan_tts_train",
        "tts_inference",
        "train_wav2lip",
        "makeittalk_dump",
        "train_makeittalk_translation",
        "face_decode",
        "score_lips",
    ):
        _kill_at(recipe, worker, tmp_path / "work/hangs")
    assert begun(recipe()) == [16]
    assert tree(tmp_path / "work") == whole


def _kill_at(recipe, worker: str, sign: Path) -> None:
    """Start a run and kill it while a worker has half of its work done."""
    environment = recipe.environment | {"HANG": worker}
    command = {"args": recipe.command, "cwd": sign.parents[1], "env": environment, "start_new_session": True}
    with subprocess.Popen(**command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as run:
        end = time.time() + 60
        while not sign.exists():
            assert time.time() < end and run.poll() is None
            time.sleep(0.05)
        os.killpg(run.pid, signal.SIGKILL)
    sign.unlink()


@pytest.mark.parametrize(
    "options, message",
    [
        (["--stage", "0"], "stages start at 1"),
        (["--stage", "5", "--stop_stage", "4"], "lies after --stop_stage 4"),
        (["--stage", "all"], "--stage takes a stage's number or name, not 'all'; there are: 1 data, 2 audio_dump, "),
        (["--stage", "wav2lip", "--stop_stage", "syncnet"], "--stage 10 lies after --stop_stage 9"),
        (["--nj", "0"], "at least one job"),
        (["--audio_format", "mp3"], "--audio_format takes flac, wav, flac.ark or wav.ark"),
        (["--audio_channel", "0"], "--audio_channel takes a number from 1"),
        (["--colour", "red"], "unknown option --colour"),
        (["--workdir", "/proc/self/none"], "cannot use /proc/self/none; choose another --workdir"),
        (["--db_root="], "needs --db_root"),
        (["--tts_config", "none.yaml", "--stop_stage", "7"], "none.yaml; give --tts_config a training YAML"),
        (["--stage", "2"], "no data/tr_no_dev/wav.scp; run stage 1"),
        (["--stage", "15"], "run stage 10 (wav2lip)"),
    ],
)
def test_bad_input(recipe, options, message):
    result = recipe(*options)
    assert result.returncode == 1
    assert message in result.stdout


def test_help(root, shell):
    result = shell(root / "egs/grid/av1/run.sh", "--help")
    assert result.returncode == 0
    options = {line.split()[0]: line for line in result.stdout.splitlines() if line.strip().startswith("--")}
    assert len(options) > 30
    assert "  3  face_dump          face dump\n" in result.stdout
    assert shell(root / "run.sh", "--stage", "list").stdout == "".join(
        line for line in (root / "local/stages.txt").read_text().splitlines(keepends=True) if line[0] != "#"
    )
    assert "[grid]" in options["--corpus"]


def test_grid_without_its_folder(root, shell, tmp_path):
    result = shell(root / "egs/grid/av1/run.sh", "--workdir", tmp_path)
    assert result.returncode == 1
    assert "--db_root" in result.stdout
    result = shell(root / "egs/grid/av1/run.sh", "--workdir", tmp_path, "--db_root", "none")
    assert result.returncode == 1
    assert str(tmp_path / "none") in result.stdout
