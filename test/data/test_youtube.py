"""Fetching videos, with a program that only says it is yt-dlp and a site on this machine."""

import functools
import http.server
import logging
import threading
from types import SimpleNamespace

import pytest

from silvertalk.data import read_data_dir, youtube
from silvertalk.data.corpora import avspeech, hdtf
from silvertalk.data.prepare import prepare
from silvertalk.data.youtube import fetch_videos, iter_videos, look_at_videos, read_failures, within_video

# What happens depends on a word in the address.
FAKE = """#!/usr/bin/env bash
here=$(dirname "$0")
echo "$*" >>"${here}/calls"
url=${!#}
while [ "$1" != --output ]; do shift; done
stem=${2%".%(ext)s"} && stem=${stem//"%%"/"%"}
case ${url} in
    *gone*) printf 'WARNING: old\\nERROR: [youtube] x:\\tVideo unavailable\\n' >&2; exit 1 ;;
    *busy*) echo half >"${stem}.f137.mp4.part"; echo "ERROR: HTTP Error 429: Too Many Requests" >&2; exit 1 ;;
    *apart*) cp "${here}/whole.mp4" "${stem}.f137.mp4" ;;
    *silent*) cp "${here}/silent.mp4" "${stem}.mp4" ;;
    *broken*) echo "no video" >"${stem}.mp4" ;;
    *dumb*) exit 3 ;;
    *) cp "${here}/whole.mp4" "${stem}.mp4" ;;
esac
"""


@pytest.fixture
def yt_dlp(tmp_path, grid_clip, make_media):
    """The fake program, and the calls it got: ``yt_dlp.calls()``."""
    import numpy as np

    program = tmp_path / "bin/yt-dlp"
    grid_clip(program.parent / "whole.mpg", num_frames=30).rename(program.parent / "whole.mp4")
    make_media(program.parent / "silent.mp4", [0, 0.04], [np.zeros((32, 48, 3), np.uint8)] * 2)
    program.write_text(FAKE)
    program.chmod(0o755)
    log = program.parent / "calls"

    class Program(str):
        def calls(self):
            lines = log.read_text().splitlines() if log.exists() else []
            log.unlink(missing_ok=True)
            return lines

    return Program(program)


def fetch(folder, *names, program, **options):
    fetch_videos({name: f"https://example.org/watch?v={name}" for name in names}, folder, program, **options)
    return sorted(path.name for path in folder.iterdir() if path.suffix in youtube.SUFFIXES)


def test_sound_and_picture_are_asked_for_politely(tmp_path, yt_dlp, monkeypatch):
    pauses = []
    monkeypatch.setattr(youtube, "time", SimpleNamespace(sleep=pauses.append))
    folder = tmp_path / "100% videos"
    assert fetch(folder, "a", "b", "c", program=yt_dlp, pause=7, max_height=480) == ["a.mp4", "b.mp4", "c.mp4"]
    assert pauses == [0, 7, 7]
    assert not (folder / "failed.tsv").read_text() and not list((folder / youtube.PARTS).iterdir())
    call = yt_dlp.calls()[0]
    assert "/100%% videos/" in call  # a "%" begins a field of the name's template
    assert "--format bv*[height<=?480]+ba/b[height<=?480]" in call and call.endswith("-- https://example.org/watch?v=a")


def test_every_failure_is_told_and_none_ends_the_run(tmp_path, yt_dlp, caplog):
    folder = tmp_path / "videos"
    with caplog.at_level(logging.INFO):
        names = ("gone", "busy", "apart", "silent", "broken", "dumb", "a")
        assert fetch(folder, *names, program=yt_dlp, pause=0) == ["a.mp4"]
    reasons = read_failures(folder)
    assert set(reasons) == set(names) - {"a"} and "1 of 7 videos fetched" in caplog.text
    for name, words in {
        "gone": "ERROR: [youtube] x: Video unavailable",
        "busy": "Too Many Requests",
        "apart": "is FFmpeg there",
        "silent": "holds no sound",
        "broken": "not a readable video",
        "dumb": "code 3",
    }.items():
        assert words in reasons[name]
    yt_dlp.calls()
    fetch(folder, *reasons, program=yt_dlp, pause=0)
    assert [call.rpartition("=")[2] for call in yt_dlp.calls()] == ["apart", "broken", "busy", "dumb"]
    (folder / "failed.tsv").write_text("gone\tcame back\n")
    (folder / youtube.PARTS / "gone.mp4").write_bytes((tmp_path / "bin/whole.mp4").read_bytes())
    (tmp_path / "bin/yt-dlp").write_text("#!/bin/sh\n")  # as where a run was killed behind the last byte
    assert fetch(folder, "gone", program=yt_dlp, pause=0) == ["a.mp4", "gone.mp4"]
    assert read_failures(folder) == {}


def test_a_site_that_refuses_is_left_alone(tmp_path, yt_dlp, caplog):
    names = [f"{'gone' if k == 5 else 'busy'}{k:02d}" for k in range(20)]
    assert fetch(tmp_path / "videos", *names, "a", program=yt_dlp, pause=0) == []
    assert len(yt_dlp.calls()) == 6 + youtube.MAX_FAILURES and "the other 5 are left" in caplog.text


def test_a_hanging_program_is_ended(tmp_path, yt_dlp, monkeypatch):
    monkeypatch.setattr(youtube, "TIMEOUT", 0.05)
    (tmp_path / "bin/yt-dlp").write_text("#!/bin/sh\nexec sleep 5\n")
    fetch(tmp_path / "videos", "a", program=yt_dlp)
    assert "more than 0.05 s" in read_failures(tmp_path / "videos")["a"]


def test_the_program_is_needed_only_where_there_is_something_to_fetch(tmp_path):
    with pytest.raises(FileNotFoundError, match="install yt-dlp and FFmpeg, or give --yt_dlp"):
        fetch_videos({"a": "http://x"}, tmp_path, "no-such-program")
    fetch_videos({}, tmp_path, "no-such-program")


def test_hidden_parts_are_never_found(tmp_path):
    names = ("b.mp4", "sub/c.WEBM", "videos/a.mkv", "videos/.parts/d.mp4", ".e.mp4", "f.mp4.part", "g.txt")
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert [stem for stem, _ in iter_videos(tmp_path)] == ["a", "b", "c"]
    assert [path for _, path in iter_videos(tmp_path)][2] == str(tmp_path / "sub/c.WEBM")


def test_what_is_seen_of_a_file(tmp_path, yt_dlp):
    whole, silent = tmp_path / "bin/whole.mp4", tmp_path / "bin/silent.mp4"
    found = look_at_videos([str(whole), str(silent), str(tmp_path / "nothing"), str(whole)], nj=2)
    assert found[str(whole)].width == 48 and len(found) == 3
    assert "holds no sound; fetch it anew" in found[str(silent)] and "no file" in found[str(tmp_path / "nothing")]


def test_spans_end_with_their_video():
    assert within_video("a.mp4", 1.0, 3.0, 10.0) == (1.0, 3.0)
    assert within_video("a.mp4", 1.0, 3.0, 2.5) == (1.0, 2.5)
    assert "a.mp4: lasts 1.2 s" in within_video("a.mp4", 1.0, 3.0, 1.2)


@pytest.fixture
def lists(tmp_path):
    """A site with HDTF's lists: two videos in each, and one without a span."""
    folder = tmp_path / "site"
    folder.mkdir()
    for subset, names in {"RD": ("Radio1", "gone2"), "WDA": ("Ann", "Bob"), "WRA": ("Cy", "Dee")}.items():
        addresses = "".join(f"{name} https://example.org/watch?v={name}\n" for name in names)
        addresses += f"{subset}24 https://example.org/watch?v=nospan\n"
        (folder / f"{subset}_video_url.txt").write_text(addresses)
        (folder / f"{subset}_annotion_time.txt").write_text("".join(f"{name}.mp4 00:00-00:01\n" for name in names))
        (folder / f"{subset}_resolution.txt").write_text("".join(f"{name}.mp4 720\n" for name in names))
        (folder / f"{subset}_crop_wh.txt").write_text("".join(f"{name}_0.mp4 0 100 0 100\n" for name in names))
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=folder)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=functools.partial(server.serve_forever, 0.02), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_hdtf_is_fetched_and_prepared(tmp_path, yt_dlp, lists):
    root = tmp_path / "hdtf"
    options = {"db_root": str(root), "download": True, "yt_dlp": yt_dlp, "pause": 0.0, "list_url": lists}
    prepare(hdtf, str(tmp_path / "data"), max_videos=3, **options)
    assert [call.rpartition("=")[2] for call in yt_dlp.calls()] == ["Radio1", "Ann", "Cy"]
    assert len(list((root / "HDTF_dataset").iterdir())) == 12
    assert (root / "videos/RD_Radio1.mp4").is_file()
    assert "WDA_Bob\tno video; --download true" in (tmp_path / "data/missing.tsv").read_text()
    # Half a file that somebody put there is replaced; what is whole is kept.
    (root / "videos/WDA_Ann.mp4").write_bytes(b"half")
    prepare(hdtf, str(tmp_path / "data"), **options)
    assert [call.rpartition("=")[2] for call in yt_dlp.calls()] == ["Ann", "gone2", "Bob", "Dee"]
    assert "RD_gone2\tERROR: [youtube] x: Video unavailable" in (tmp_path / "data/missing.tsv").read_text()
    assert not (tmp_path / "data/skipped.tsv").read_text()
    assert sum(len(read_data_dir(tmp_path / "data" / name)) for name in ("tr_no_dev", "dev", "eval1")) == 5


def test_avspeech_is_fetched_and_prepared(tmp_path, yt_dlp):
    root = tmp_path / "avspeech"
    options = {"db_root": str(root), "download": True, "yt_dlp": yt_dlp, "pause": 0.0}
    with pytest.raises(FileNotFoundError, match="get the two lists from https://looking-to-listen"):
        prepare(avspeech, str(tmp_path / "data"), **options)
    train = ["-train00001", "train_-0002", "gone0000003", "train000004"]
    root.mkdir()
    rows = {"train": [(v, k) for v in train for k in (0, 0.5)], "test": [("test0000001", 0), ("test0000002", 0)]}
    for name, own in rows.items():
        lines = "".join(f"{video},{start:.6f},{start + 0.6:.6f},0.5,0.5\n" for video, start in own)
        (root / f"avspeech_{name}.csv").write_text(lines)
    (root / "test0000001.mp4").write_bytes((tmp_path / "bin/whole.mp4").read_bytes())
    (root / "train_-0002_0.0_0.6.mp4").write_bytes((tmp_path / "bin/whole.mp4").read_bytes())
    prepare(avspeech, str(tmp_path / "data"), max_videos=3, **options)
    calls = [call.rpartition("-- ")[2] for call in yt_dlp.calls()]
    assert calls == [f"https://www.youtube.com/watch?v={video}" for video in ("test0000002", *train[:3])]
    missing = (tmp_path / "data/missing.tsv").read_text().splitlines()
    assert missing[0] == "gone0000003\t2 clips: ERROR: [youtube] x: Video unavailable" and len(missing) == 2
    assert {u.spk for u in read_data_dir(tmp_path / "data/eval1")} == {"test0000001", "test0000002"}
    (root / "videos/-train00001.mp4").write_bytes(b"half")
    prepare(avspeech, str(tmp_path / "data"), max_videos=3, **options)
    assert [call.rpartition("=")[2] for call in yt_dlp.calls()] == ["-train00001"]
    prepare(avspeech, str(tmp_path / "data"), max_videos=3, **options)
    assert yt_dlp.calls() == []
