"""Kept results and their names."""

import os
import time
from pathlib import Path

import pytest

from silvertalk.utils import cache, remove_leftovers
from silvertalk.utils.cache import BLOCK, cache_folder, content_key, quick_key


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


@pytest.fixture
def reads(tmp_path, monkeypatch):
    """Paths whose content was read for a key."""
    monkeypatch.setenv("SILVERTALK_CACHE", str(tmp_path / "cache"))
    paths, inner = [], cache.content_key
    monkeypatch.setattr(cache, "content_key", lambda path, **settings: [paths.append(path), inner(path, **settings)][1])
    return paths


def old(path, content=b"content", age=100):
    """A file that was not written a moment ago."""
    now = time.time() - age
    os.utime(write(path, content), (now, now))
    return path


def test_content_is_read_once(reads, tmp_path):
    file = old(tmp_path / "a")
    keys = {quick_key(file, a=1) for _ in range(3)}
    assert keys == {content_key(file, a=1)} and len(reads) == 1
    assert quick_key(file, a=2) == content_key(file, a=2) and len(reads) == 2
    assert quick_key(old(file, b"contents"), a=1) == content_key(file, a=1) and len(reads) == 3  # another size
    assert quick_key(old(file, b"CONTENTS", age=99), a=1) == content_key(file, a=1) and len(reads) == 4  # time
    assert {quick_key(old(tmp_path / "b"), a=1)} == keys and len(reads) == 5  # the same content elsewhere
    with pytest.raises(FileNotFoundError, match="gone"):
        quick_key(tmp_path / "gone")


def test_folder_is_read_once(reads, tmp_path):
    old(tmp_path / "x/1.png"), old(tmp_path / "x/2.png")
    assert quick_key(tmp_path / "x") == quick_key(tmp_path / "x") == content_key(tmp_path / "x") and len(reads) == 1
    old(tmp_path / "x/3.png")
    assert quick_key(tmp_path / "x") == content_key(tmp_path / "x") and len(reads) == 2


def test_what_was_just_written_is_read_again(reads, tmp_path):
    """Within a tick of the file system's clock, time and size stay what they were."""
    first = quick_key(write(tmp_path / "a", b"one"))
    assert quick_key(write(tmp_path / "a", b"two")) != first and len(reads) == 2


def test_damaged_and_unwritable_keys_cost_time_only(reads, tmp_path, monkeypatch):
    file = old(tmp_path / "a")
    key = quick_key(file)
    (kept,) = cache_folder("keys").iterdir()
    for content in (b"", key[:31].encode(), b"\xff" * 32, b"../../../../etc/passwd0123456789"):
        kept.write_bytes(content)
        assert quick_key(file) == key
        assert quick_key(file) == key and kept.read_text() == key
    assert len(reads) == 5
    monkeypatch.setenv("SILVERTALK_CACHE", str(file / "no folder"))
    assert quick_key(file) == key


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
