from pathlib import Path

import pytest

from silvertalk.data import read_data_dir
from silvertalk.data.corpora import avspeech
from silvertalk.data.corpora.avspeech import Row, iter_rows
from silvertalk.data.prepare import prepare
from silvertalk.media import MediaInfo

# Ids hold what names are split at, and one looks like a clip's name.
TRAIN = ["u5MPyrRJPmc", "-a_b-c_d-e_", "AB_1234_567", "__________-"]
TEST = ["test_-00001", "test_-00002"]
LONG = MediaInfo(1000.0, 23.976, 1280, 720, True, False)


@pytest.fixture
def seen(monkeypatch):
    """Files are not opened: each is a long video, or what is entered here under its name."""
    infos = {}
    monkeypatch.setattr(avspeech, "look_at_videos", lambda paths, nj: {p: infos.get(Path(p).name, LONG) for p in paths})
    return infos


def write_lists(root, train, test):
    root.mkdir(exist_ok=True)
    for name, rows in (("train", train), ("test", test)):
        (root / f"avspeech_{name}.csv").write_text("".join(f"{row}\n" for row in rows))
    return root


def put(root, *names):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


@pytest.fixture
def root(tmp_path) -> Path:
    """Lists of six videos, a clip of each."""
    rows = ([f"{video},90.000000,95.600000,0.498438,0.284722" for video in own] for own in (TRAIN, TEST))
    return write_lists(tmp_path / "avspeech", *rows)


def by_id(corpus):
    return {u.utt_id: u for own in corpus.sets.values() for u in own}


def test_clips_under_every_name(root, seen):
    put(
        root,
        f"{TRAIN[0]}/{TRAIN[0]}_90.000000_95.600000_video.mp4",
        f"{TRAIN[1]}_90.0_95.6.mp4",
        f"{TRAIN[2]}_090.000000-095.600000.mp4",
        f"{TRAIN[3]}_90_95.6.mp4",
        f"{TEST[0]}/{TEST[0]}_90.000000_95.600000.mp4",
        f"videos/{TEST[1]}.mp4",
    )
    corpus = avspeech.read(root)
    found = by_id(corpus)
    assert set(found) == {f"{video}-00090000-00095600" for video in TRAIN + TEST}
    assert not corpus.skipped and not corpus.tables["missing.tsv"]
    clip, whole = (found[f"{video}-00090000-00095600"] for video in (TRAIN[2], TEST[1]))
    assert (clip.spk, clip.start, clip.end) == (TRAIN[2], 0.0, 1000.0)
    assert (whole.start, whole.end, whole.face) == (90.0, 95.6, (0.498438, 0.284722))
    assert whole.wav == whole.video == str(root / f"videos/{TEST[1]}.mp4") and whole.text is None


def test_official_split_and_dev_by_video(tmp_path, seen):
    train = [f"train{k:06d},{10 * j},{10 * j + 5},0.5,0.5" for k in range(30) for j in range(4)]
    root = write_lists(tmp_path / "a", train, ["test0000001,0,5,0.5,0.5"])
    put(root, *(f"videos/train{k:06d}.mp4" for k in range(30)), "videos/test0000001.mp4")
    sets = avspeech.read(root, dev_share=0.1).sets
    assert {name: len(own) for name, own in sets.items()} == {"tr_no_dev": 108, "dev": 12, "eval1": 1}
    assert len({u.spk for u in sets["dev"]}) == 3
    assert not {u.spk for u in sets["dev"]} & {u.spk for u in sets["tr_no_dev"]}
    assert {u.spk for u in sets["eval1"]} == {"test0000001"}


def test_a_video_in_both_lists_is_only_tested_on(root, seen):
    put(root, *(f"{video}.mp4" for video in TRAIN + TEST))
    with open(root / avspeech.TRAIN, "a") as out:
        out.write(f"{TEST[0]},1,5,0.5,0.5\n")
    corpus = avspeech.read(root)
    assert len(by_id(corpus)) == 6 and {u.spk for u in corpus.sets["eval1"]} == set(TEST)
    assert "not trained on" in corpus.tables["missing.tsv"][TEST[0]]


def test_missing_videos_are_listed_and_no_error(tmp_path, seen):
    train = [f"train{k:06d},{j},{j + 3},0.5,0.5" for k in range(50) for j in (0, 5)]
    root = write_lists(tmp_path / "a", train, ["test0000001,0,5,0.5,0.5"])
    put(root, "train000003.mp4", "train000004_0_3.mp4", "test0000001.mp4")
    (root / "videos").mkdir()
    (root / "videos/failed.tsv").write_text("train000000\tERROR: Private video\n")
    prepare(avspeech, str(tmp_path / "data"), db_root=str(root), max_skipped=0.01)
    missing = (tmp_path / "data/missing.tsv").read_text().splitlines()
    assert len(missing) == 49 and missing[0] == "train000000\t2 clips: ERROR: Private video"
    assert missing[3].startswith("train000004\t1 clips: no video; --download true")
    assert len(read_data_dir(tmp_path / "data/eval1")) == 1


def test_bad_files_cost_their_clips(root, seen):
    put(root, *(f"{video}.mp4" for video in TRAIN + TEST))
    with open(root / avspeech.TRAIN, "a") as out:
        out.write(f"{TRAIN[1]},990,999,0.5,0.5\n{TRAIN[1]},998,1003,0.5,0.5\n{TRAIN[1]},999.8,1003,0.5,0.5\n")
        out.write(f"{TRAIN[1]},998.0,1003.00,0.1,0.5\n")
    seen[f"{TRAIN[0]}.mp4"] = "holds no sound"
    corpus = avspeech.read(root)
    assert corpus.skipped[f"{TRAIN[0]}-00090000-00095600"] == "holds no sound"
    assert "lasts 1000.0 s" in corpus.skipped[f"{TRAIN[1]}-00999800-01003000"]
    assert "twice" in corpus.skipped[f"{TRAIN[1]}-00998000-01003000-again"] and len(corpus.skipped) == 3
    found = by_id(corpus)
    assert found[f"{TRAIN[1]}-00998000-01003000"].end == 1000.0
    assert found[f"{TRAIN[1]}-00998000-01003000"].face == (0.5, 0.5)


def test_lines(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("\ufeffid,start,end,x,y\nu5MPyrRJPmc,90.0,95.6,1.02,-0.1\n\n")
    (row,) = iter_rows(path)
    assert row == Row("u5MPyrRJPmc", 90.0, 95.6, (1.0, 0.0)) and row.key == ("u5MPyrRJPmc", 90000, 95600)
    good = "u5MPyrRJPmc,1,2,0.5,0.5\n"
    for line in ("u5MPyrRJPmc,90.0,95.6,0.5", "u5MPyrRJPm,90,95,0.5,0.5", "u5MPyrRJPmc,95,90,0.5,0.5", "a,b,c,d,e"):
        path.write_text(good + line)
        with pytest.raises(ValueError, match=r"a.csv:2: .*get the list again"):
            list(iter_rows(path))


def test_what_is_wrong_is_told(root, tmp_path):
    with pytest.raises(FileNotFoundError, match="no video such as .*videos/test_-00001.mp4; --download true"):
        avspeech.read(root)
    (root / "avspeech_test.csv").unlink()
    with pytest.raises(FileNotFoundError, match="avspeech_test.csv: there should be a list of AVSpeech, from https"):
        avspeech.read(root)
    with pytest.raises(FileNotFoundError, match="no folder .*nowhere"):
        avspeech.read(tmp_path / "nowhere")


def test_sets_do_not_depend_on_the_number_of_jobs(root, tmp_path, grid_clip):
    clip = grid_clip(tmp_path / "clip.mpg", num_frames=25).read_bytes()
    for video in TRAIN + TEST:
        (root / f"{video}_90_95.6.mp4").write_bytes(clip)
    (root / f"{TRAIN[0]}_90_95.6.mp4").write_bytes(clip[:50])
    for nj in (1, 4):
        prepare(avspeech, str(tmp_path / f"data{nj}"), db_root=str(root), nj=nj)
    first, second = (
        [(p.name, p.read_text()) for p in sorted((tmp_path / f"data{nj}").rglob("*")) if p.is_file()] for nj in (1, 4)
    )
    assert first == second
    assert f"{TRAIN[0]}-00090000-00095600\t" in (tmp_path / "data1/skipped.tsv").read_text()
