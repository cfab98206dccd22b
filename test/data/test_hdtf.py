import logging
from pathlib import Path

import pytest

from silvertalk.data import read_data_dir
from silvertalk.data.corpora import hdtf
from silvertalk.data.corpora.hdtf import Recording, find_face, find_speakers, parse_span
from silvertalk.data.prepare import prepare
from silvertalk.media import MediaInfo

WATCH = "https://www.youtube.com/watch?v="
# Every oddity of the published lists: a byte-order mark, spaces at the end, "&t=6s", a video without a span, spans
# without a square, a height of 0, squares of a larger picture than is listed, one video under two names, a "-".
LISTS = {
    "RD_video_url": f"Radio1 {WATCH}radio000001\nRadio2 {WATCH}radio000002&t=6s\nRadio24 {WATCH}radio000024\n",
    "RD_annotion_time": "Radio1.mp4 00:20-00:45\nRadio2.mp4 00:00-00:10 01:00-01:10 \n",
    "RD_resolution": "Radio1.mp4 720\nRadio2.mp4 2160\nRadio24.mp4 720\n",
    "RD_crop_wh": "Radio1_0.mp4 412 400 100 400\n",
    "WDA_video_url": f"\ufeffCarolyn2 {WATCH}carolyn0002\nWhipJim {WATCH}gh3YqnvNdio&t=5s\nJim1 {WATCH}gh3YqnvNdio\n"
    f"Jim {WATCH}jim00000000\nLucille-Allard {WATCH}lucille0000\nBarackObama {WATCH}barack00000\n",
    "WDA_annotion_time": "Carolyn2.mp4 00:05-00:15\nWhipJim.mp4 00:05-00:15\nJim1.mp4 00:20-00:30\n"
    "Jim.mp4 00:05-00:15\nLucille-Allard.mp4 00:05-00:15\nBarackObama.mp4 00:05-00:15\n",
    "WDA_resolution": "Carolyn2.mp4 1080\nWhipJim.mp4 0\nJim1.mp4 720\n",
    "WDA_crop_wh": "Carolyn2_0.mp4 960 200 540 200\nWhipJim_0.mp4 412 465 0 465\nJim1_0.mp4 389 776 0 776\n",
    "WRA_video_url": f"DebFischer0 {WATCH}deb00000000\nDebFischer1 {WATCH}deb00000001\n",
    "WRA_annotion_time": "DebFischer0.mp4 00:05-00:15\nDebFischer1.mp4 00:05-00:15\n",
    "WRA_resolution": "DebFischer0.mp4 720\nDebFischer1.mp4 700\n",
    "WRA_crop_wh": "DebFischer0_0.mp4 0 300 0 300\n",
}
WIDE = MediaInfo(120.0, 29.97, 1920, 1080, True, False)


@pytest.fixture
def root(tmp_path) -> Path:
    """Lists, and no video."""
    folder = tmp_path / "hdtf"
    (folder / "HDTF_dataset").mkdir(parents=True)
    for name, text in LISTS.items():
        (folder / f"HDTF_dataset/{name}.txt").write_text(text, encoding="utf-8")
    return folder


@pytest.fixture
def seen(monkeypatch):
    """Files are not opened: each is a whole video, or what is entered here under its name."""
    infos = {}
    monkeypatch.setattr(hdtf, "look_at_videos", lambda paths, nj: {p: infos.get(Path(p).name, WIDE) for p in paths})
    return infos


def put(root, *names):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


def everything(root):
    put(root, *(f"videos/{r.key}.mp4" for r in hdtf.read_lists(root / "HDTF_dataset")))


def by_id(corpus):
    return {u.utt_id: u for own in corpus.sets.values() for u in own}


def test_whole_videos(root, seen):
    everything(root)
    corpus = hdtf.read(root)
    found = by_id(corpus)
    assert len(found) == 3 + 2 + 6 + 2 and not corpus.skipped
    assert corpus.tables["missing.tsv"] == {"RD_Radio24": "its list names no span"}
    pieces = [found[f"RD_Radio-Radio1_0-00{k}"] for k in range(3)]
    assert [(round(u.start, 2), round(u.end, 2)) for u in pieces] == [(20, 28.33), (28.33, 36.67), (36.67, 45)]
    assert pieces[0].wav == pieces[0].video == str(root / "videos/RD_Radio1.mp4") and pieces[0].text is None
    assert found["RD_Radio-Radio2_1-000"].start == 60.0
    assert len(by_id(hdtf.read(root, max_seconds=60))) == 11
    with pytest.raises(ValueError, match="--max_seconds"):
        hdtf.read(root, max_seconds=0)


def test_a_speaker_is_a_name_without_its_number(root, seen):
    speakers = find_speakers(hdtf.read_lists(root / "HDTF_dataset"))
    assert speakers["WRA_DebFischer0"] == speakers["WRA_DebFischer1"] == "WRA_DebFischer"
    assert speakers["WDA_Jim"] == speakers["WDA_Jim1"] == speakers["WDA_WhipJim"] == "WDA_Jim"  # one shared video
    assert speakers["WDA_Lucille-Allard"] == "WDA_Lucille_Allard"
    assert speakers["RD_Radio1"] == speakers["RD_Radio24"] == speakers["WDA_BarackObama"] == "RD_Radio"
    everything(root)
    own = [{u.spk for u in utterances} for utterances in hdtf.read(root).sets.values()]
    assert sum(map(len, own)) == len(set.union(*own)) == 5 and all(own)


def test_who_is_one_person_can_be_said(caplog):
    recordings = [Recording("RD", "Radio1", None), Recording("WDA", "BarackObama", None), Recording("WDA", "Ann", None)]
    assert len(set(find_speakers(recordings, "").values())) == 3
    assert len(set(find_speakers(recordings, "WDA_Ann=RD_Radio,RD_Radio=WDA_BarackObama").values())) == 1
    with caplog.at_level(logging.WARNING):
        assert len(set(find_speakers(recordings, "WDA_An=RD_Radio").values())) == 3
    assert "the lists have no WDA_An" in caplog.text
    assert len(set(find_speakers(recordings[:1]).values())) == 1


@pytest.mark.parametrize(
    ("square", "height", "size", "face"),
    [
        ((412, 100, 400), 720, (1280, 720), (612 / 1280, 300 / 720)),
        ((412, 100, 400), 720, (1920, 1080), (612 / 1280, 300 / 720)),  # the same place in a larger file
        ((412, 0, 465), 0, (1920, 1080), (644.5 / 1280, 232.5 / 720)),  # nobody knows the height
        ((389, 0, 776), 720, (1280, 720), (777 / 1920, 388 / 1080)),  # does not fit into 720 lines
        ((0, 0, 5000), 720, (1280, 720), None),
        ((412, 100, 400), 720, (512, 512), None),  # cut to the square
        (None, 720, (1280, 720), None),
    ],
)
def test_faces(square, height, size, face):
    found = find_face(square, height, MediaInfo(1, 25, *size, True, False))
    assert found == (pytest.approx(face) if face else None)


def test_spans_without_a_square_have_no_face(root, seen):
    everything(root)
    found = by_id(hdtf.read(root))
    assert found["RD_Radio-Radio1_0-000"].face == pytest.approx((612 / 1280, 300 / 720))
    assert found["RD_Radio-Radio2_0-000"].face is None
    # The list that begins with a byte-order mark gives its first video too.
    assert found["WDA_Carolyn-Carolyn2_0-000"].face == pytest.approx((1060 / 1920, 640 / 1080))


def test_spans_cut_out_under_either_name(root, seen):
    put(root, "RD_Radio2_000.mp4", "Radio2_1.mp4", "x/Radio1_0.mp4", "WDA_Jim_000.mp4", "WRA_DebFischer0_000.mp4")
    put(root, "RD_Radio2_001x.mp4", "Somebody_0.mp4")
    seen["RD_Radio2_000.mp4"] = seen["WDA_Jim_000.mp4"] = MediaInfo(9.5, 25, 512, 512, True, False)
    seen["Radio2_1.mp4"] = seen["x/Radio1_0.mp4"] = MediaInfo(9.5, 25, 1280, 720, True, False)
    corpus = hdtf.read(root)
    found = by_id(corpus)
    first, second = (found[f"RD_Radio-Radio2_{k}-000"] for k in (0, 1))
    assert (first.start, first.end, first.video) == (0.0, 9.5, str(root / "RD_Radio2_000.mp4"))
    assert second.video == str(root / "Radio2_1.mp4") and "WDA_Jim-Jim_0-000" in found
    assert "RD_Radio24" in corpus.tables["missing.tsv"] and "WDA_Carolyn2" in corpus.tables["missing.tsv"]


def test_one_span_of_several_is_missing(root, seen):
    put(root, "Radio2_1.mp4", "videos/Jim.mp4", "videos/DebFischer1.mp4")
    missing = hdtf.read(root).tables["missing.tsv"]
    assert missing["RD_Radio2_0"] == "no clip of this span" and "RD_Radio2" not in missing


def test_the_whole_video_goes_before_its_clips_and_usable_files_before_others(root, seen):
    everything(root)
    put(root, "RD_Radio1_000.mp4", "_videos_raw/RD_Radio2.mkv", "zz/RD_Radio2.webm")
    seen["RD_Radio2.mp4"] = seen["RD_Radio2.mkv"] = "RD_Radio2: holds no sound"
    found = by_id(hdtf.read(root))
    assert found["RD_Radio-Radio1_0-000"].video.endswith("videos/RD_Radio1.mp4")
    assert found["RD_Radio-Radio2_0-000"].video.endswith("zz/RD_Radio2.webm")


def test_bad_files_cost_themselves_and_missing_ones_nothing(root, seen):
    put(root, *(f"videos/{key}.mp4" for key in ("RD_Radio1", "WDA_Jim", "WDA_Jim1", "WDA_Carolyn2", "WRA_DebFischer0")))
    (root / "videos/failed.tsv").write_text("RD_Radio2\tERROR: Video unavailable\n")
    seen["RD_Radio1.mp4"] = "RD_Radio1.mp4: holds no sound"
    seen["WDA_Jim1.mp4"] = MediaInfo(24.0, 25, 1280, 720, True, False)  # its span goes on to 30 s
    seen["WRA_DebFischer0.mp4"] = MediaInfo(5.2, 25, 1280, 720, True, False)  # its span begins at 5 s
    with pytest.raises(ValueError, match="2 speakers"):
        hdtf.read(root)
    put(root, "videos/WRA_DebFischer1.mp4")
    corpus = hdtf.read(root)
    assert {k: v for k, v in corpus.skipped.items() if "Radio" in k} == {
        f"RD_Radio-Radio1_0-00{k}": "RD_Radio1.mp4: holds no sound" for k in range(3)
    }
    assert "lasts 5.2 s" in corpus.skipped["WRA_DebFischer-DebFischer0_0-000"] and len(corpus.skipped) == 4
    assert by_id(corpus)["WDA_Jim-Jim1_0-000"].end == 24.0
    assert corpus.tables["missing.tsv"]["RD_Radio2"] == "ERROR: Video unavailable"


@pytest.mark.parametrize("where", [".", "HDTF_dataset", "HDTF-main/HDTF_dataset"])
def test_lists_are_found(root, seen, where):
    everything(root)
    (root / "HDTF_dataset").rename(root / "lists")
    (root / where).mkdir(parents=True, exist_ok=True)
    for path in list((root / "lists").iterdir()):
        path.rename(root / where / path.name)
    assert len(by_id(hdtf.read(root))) == 13


def test_what_is_wrong_is_told(root):
    with pytest.raises(FileNotFoundError, match=r"no video such as .*videos/RD_Radio1.mp4; --download true"):
        hdtf.read(root)
    (root / "HDTF_dataset/WDA_crop_wh.txt").unlink()
    with pytest.raises(FileNotFoundError, match="WDA_crop_wh.txt: there should be a list of HDTF"):
        hdtf.read(root)
    (root / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match="empty/HDTF_dataset/RD_video_url.txt"):
        hdtf.read(root / "empty")
    (root / "HDTF_dataset/WDA_crop_wh.txt").write_text("Jim_0.mp4 1 2 3 4\nJim_0.mp4 one\n")
    with pytest.raises(ValueError, match="WDA_crop_wh.txt:2: 'Jim_0.mp4 one' is not a line of this list"):
        hdtf.read(root)


def test_spans():
    assert parse_span("00:30-01:05") == (30.0, 65.0)
    assert parse_span("00:59:30-01:00:05") == (3570.0, 3605.0)


def test_sets_do_not_depend_on_the_number_of_jobs(root, tmp_path, grid_clip):
    clip = grid_clip(tmp_path / "clip.mpg", num_frames=25).read_bytes()
    for name in ("WDA_Jim_000", "WDA_Lucille-Allard_000", "WRA_DebFischer0_000", "WRA_DebFischer1_000", "Carolyn2_0"):
        (root / f"{name}.mp4").write_bytes(clip)
    (root / "RD_Radio1_000.mp4").write_bytes(clip[:50])
    for nj in (1, 4):
        prepare(hdtf, str(tmp_path / f"data{nj}"), db_root=str(root), nj=nj)
    first, second = (
        [(p.name, p.read_text()) for p in sorted((tmp_path / f"data{nj}").rglob("*")) if p.is_file()] for nj in (1, 4)
    )
    assert first == second
    assert list(hdtf.read(root).skipped) == ["RD_Radio-Radio1_0-000"]
    assert all(u.end == pytest.approx(1.0, abs=0.1) for u in read_data_dir(tmp_path / "data1/tr_no_dev"))
