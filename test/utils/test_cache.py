"""Kept results and their names."""

import os
from pathlib import Path

import pytest

from silvertalk.utils import remove_leftovers
from silvertalk.utils.cache import BLOCK, cache_folder, content_key


def write(path, content=b"content"):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def test_key_goes_by_content(tmp_path):
    key = content_key(write(tmp_path / "a"))
    assert len(key) == 32 and int(key, 16)
    assert content_key(write(tmp_path / "b")) == key == content_key(str(tmp_path / "a"))
    os.utime(tmp_path / "a", (1, 1))
    assert content_key(tmp_path / "a") == key
    assert content_key(write(tmp_path / "a", b"contenu")) != key
    large = bytes(BLOCK + 1)
    assert content_key(write(tmp_path / "a", large)) != content_key(write(tmp_path / "a", large[:-1] + b"\1"))


def test_key_goes_by_settings(tmp_path):
    file = write(tmp_path / "a")
    keys = {
        content_key(file, **settings)
        for settings in ({}, {"a": 1}, {"a": 2}, {"b": 1}, {"a": "1"}, {"a": None}, {"a": {"b": [1]}})
    }
    assert len(keys) == 7
    assert content_key(file, a=1, b=2) == content_key(file, b=2, a=1)
    assert content_key(file, a=Path("x")) == content_key(file, a="x")


def test_folder_goes_by_its_files(tmp_path):
    write(tmp_path / "x/1.png", b"one")
    write(tmp_path / "x/2.png", b"two")
    keys = [content_key(tmp_path / "x")]
    (tmp_path / "x").rename(tmp_path / "y")
    assert content_key(tmp_path / "y") == keys[0]
    (tmp_path / "y/2.png").rename(tmp_path / "y/3.png")
    keys.append(content_key(tmp_path / "y"))
    write(tmp_path / "y/3.png", b"three")
    keys.append(content_key(tmp_path / "y"))
    write(tmp_path / "y/4.png", b"")
    keys.append(content_key(tmp_path / "y"))
    assert len(set(keys)) == 4
    write(tmp_path / "y/deep/5.png")
    assert content_key(tmp_path / "y") == keys[3]


def test_missing_file_has_no_key(tmp_path):
    with pytest.raises(FileNotFoundError, match="gone"):
        content_key(tmp_path / "gone")


def test_folder_of_the_cache(monkeypatch):
    monkeypatch.setenv("SILVERTALK_CACHE", "/a")
    monkeypatch.setenv("XDG_CACHE_HOME", "/b")
    monkeypatch.setenv("HOME", "/c")
    assert cache_folder("tracks") == Path("/a/tracks")
    monkeypatch.delenv("SILVERTALK_CACHE")
    assert cache_folder("tracks") == Path("/b/silvertalk/tracks")
    monkeypatch.setenv("XDG_CACHE_HOME", "")
    assert cache_folder("tracks") == Path("/c/.cache/silvertalk/tracks")


def test_left_folders_are_removed(tmp_path):
    """What a killed ``avatar make`` leaves is a folder."""
    dead = next(pid for pid in range(4_000_000, 5_000_000) if not Path(f"/proc/{pid}").exists())
    write(tmp_path / f".me.{dead}.tmp" / f".video.{dead}.tmp.mp4")
    write(tmp_path / f".you.{os.getpid()}.tmp" / "video.mp4")
    remove_leftovers(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [f".you.{os.getpid()}.tmp"]
