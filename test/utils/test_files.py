import os
import subprocess
import sys

import pytest

from silvertalk.utils import atomic_folder, atomic_path, remove_leftovers, write_text


def test_file_appears_whole(tmp_path):
    with atomic_path(tmp_path / "new/a.mp4") as temporary:
        temporary.write_text("half")
        assert temporary.suffix == ".mp4" and not (tmp_path / "new/a.mp4").exists()
    assert [p.name for p in (tmp_path / "new").iterdir()] == ["a.mp4"]


def test_failure_leaves_the_old_file(tmp_path):
    write_text(tmp_path / "a.txt", "größer\n")
    with pytest.raises(ZeroDivisionError), atomic_path(tmp_path / "a.txt") as temporary:
        temporary.write_text("half")
        raise ZeroDivisionError
    assert (tmp_path / "a.txt").read_text(encoding="utf-8") == "größer\n"
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]


def test_folder_appears_whole_and_takes_the_place_of_another(tmp_path):
    for name in ("old", "new"):
        with atomic_folder(tmp_path / "deep/x") as temporary:
            write_text(temporary / name, "content")
            assert not (tmp_path / "deep/x" / name).exists()
    with pytest.raises(ZeroDivisionError), atomic_folder(tmp_path / "deep/x") as temporary:
        write_text(temporary / "half", "content")
        raise ZeroDivisionError
    assert [p.relative_to(tmp_path / "deep").as_posix() for p in (tmp_path / "deep").rglob("*")] == ["x", "x/new"]


def test_leftovers_of_the_dead_are_removed(tmp_path):
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    (tmp_path / "deep").mkdir()
    (tmp_path / f"deep/.a.{process.pid}.tmp.flac").touch()
    (tmp_path / f".b.{os.getpid()}.tmp.mp4").touch()  # we live
    (tmp_path / ".profile.tmp").touch()  # not ours
    remove_leftovers(tmp_path)
    assert sorted(p.name for p in tmp_path.rglob("*")) == sorted(["deep", f".b.{os.getpid()}.tmp.mp4", ".profile.tmp"])
