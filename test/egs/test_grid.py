"""GRID, and that any number of jobs writes the same."""

from pathlib import Path

import kaldiio
import numpy as np
import pytest

from silvertalk.data.corpora.grid import sentence

CODES = ["bbaf2n", "lwbz9a"]


def test_stages_1_to_4(tmp_path, write_video, run_recipe, data_sets):
    for spk in ("s1", "s2", "s10", "s11"):
        for code in CODES:
            write_video(tmp_path / f"grid/{spk}/{code}.mp4", rate=44100)
    options = "--split speaker --num_frames 0"
    result = run_recipe("grid/av1", "--db_root", tmp_path / "grid", "--local_data_opts", options)
    assert result.returncode == 0, result.stdout
    sets = data_sets()
    assert [u.text for u in sets["dev"]] == [sentence(code) for code in sorted(CODES)]
    assert {u.spk for u in sets["eval1"]} == {"s1", "s2"}
    assert (tmp_path / "work/dump/face/eval1/mel.scp").is_file()


def tables(folder: Path, *parts: str) -> dict[str, str]:
    """Every table below some folders, with the work folder's name taken out."""
    paths = [path for part in parts for path in sorted((folder / part).rglob("*")) if path.is_file()]
    kept = [path for path in paths if not {"log", "parts"} & set(path.parts) and path.suffix not in (".flac", ".avi")]
    return {str(p.relative_to(folder)): p.read_text().replace(str(folder), "") for p in kept if p.name[0] != "."}


@pytest.mark.long
def test_any_number_of_jobs_writes_the_same(tmp_path, write_video, run_recipe):
    for code in ("bbaf2n", "bgag2n", "lwbz9a", "sgix1p", "prwqzs"):
        write_video(tmp_path / f"grid/s1/{code}.mp4", rate=44100)
    options = ["--db_root", tmp_path / "grid", "--local_data_opts", "--num_frames 0 --min_clips 1 --dev_share 0.2 "
               "--eval_share 0.2"]  # fmt: skip
    for name, jobs in (("one", 1), ("three", 3)):
        result = run_recipe("grid/av1", *options, "--workdir", tmp_path / name, "--nj", jobs)
        assert result.returncode == 0, result.stdout
    one, three = (tables(tmp_path / name, "data", "dump/raw") for name in ("one", "three"))
    assert len(one) > 30 and one == three
    faces = {name: tmp_path / name / "dump/face/tr_no_dev" for name in ("one", "three")}
    for table in ("utt2num_frames", "utt2offset", "utt2sync", "text", "utt2spk"):
        assert (faces["one"] / table).read_bytes() == (faces["three"] / table).read_bytes()
    # What lies in archives is the same; the archives are as many as the jobs.
    for matrix in ("mel", "landmarks", "bbox"):
        first, second = (kaldiio.load_scp(str(folder / f"{matrix}.scp")) for folder in faces.values())
        assert list(first) == list(second) and len(first) == 3
        assert all(np.array_equal(first[key], second[key]) for key in first)
