import io
import json
import logging
import os
import tarfile
import unicodedata

import pytest

from silvertalk.data import read_data_dir
from silvertalk.data.corpora import aihub538
from silvertalk.data.corpus import SETS
from silvertalk.data.prepare import prepare
from silvertalk.media import MediaInfo

DURATION = 20.0  # seconds of every recording
# A face left of the middle of a 1920x1080 picture: both orders lie inside it, so the known one counts.
BOX = [300, 600, 700, 900]  # y_top, x_left, y_bottom, x_right
SENTENCES = (("최근에 물가가 올랐다.", 1.0, 4.0), ("날씨가 (조타)/(좋다).", 4.2, 8.0), ("X 모르겠다.", 10.0, 12.0))


@pytest.fixture(autouse=True)
def media(monkeypatch):
    """Videos are empty files here; one that is called damaged cannot be opened."""

    def probe(path):
        if path.read_bytes() == b"damaged":
            raise RuntimeError(f"{path}: is not a readable video")
        return MediaInfo(DURATION, 29.97, 1920, 1080, True, False)

    monkeypatch.setattr(aihub538, "probe", probe)


def make_label(sentences=SENTENCES, box=BOX, num_frames=600, **changes):
    texts = [
        {"ID": k, "topic": "x", "sentence_text": text, "start_time": start, "end_time": end}
        for k, (text, start, end) in enumerate(sentences, 1)
    ]
    boxes = {"Face_bounding_box": {"xtl_ytl_xbr_ybr": [box] * num_frames}}
    return [{"Video_info": {"FPS": 30}, "Sentence_info": texts, "Bounding_box_info": boxes} | changes]


def stem_of(spk, angle="A", session=1, place="J"):
    return f"lip_{place}_1_F_02_{spk}_{angle}_{session:03d}"


def folder_of(kind, number, labels):
    """Folder of a part, kind is T or V, as published."""
    part = {"T": "1.Training", "V": "2.Validation"}[kind]
    tree, letter = ("라벨링데이터", "L") if labels else ("원천데이터", "S")
    return f"{part}/{tree}", f"{kind}{letter}{number}/소음환경1/C(일반인)/F(여성)/F(여성)_1"


def put(root, spk, kind="T", label=None, **name):
    """One unpacked recording; returns video and label."""
    stem = stem_of(spk, **name)
    paths = []
    for labels, suffix in ((False, "mp4"), (True, "json")):
        path = root.joinpath(*folder_of(kind, 1, labels), f"{stem}.{suffix}")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"video" if suffix == "mp4" else json.dumps(label or make_label()).encode())
        paths.append(path)
    return paths


@pytest.fixture
def corpus(tmp_path):
    """Three training speakers and one of Validation."""
    root = tmp_path / "538"
    for spk in ("C032", "C033", "E220"):
        put(root, spk)
    put(root, "C500", kind="V")
    return root


def utterances(read):
    return {u.utt_id: u for own in read.sets.values() for u in own}


def pack(root, target, members):
    """Write a tar file: name -> bytes."""
    path = root / target
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as tar:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return path


def test_unpacked_corpus(corpus):
    read = aihub538.read(corpus)
    assert {u.spk for u in read.sets["eval1"]} == {"C500"} and not read.shares_speakers
    assert [len({u.spk for u in read.sets[name]}) for name in SETS] == [2, 1, 1]
    found = utterances(read)
    u = found["C032-J1F02-001-A-001"]
    assert (u.spk, u.text, u.start, u.end) == ("C032", "최근에 물가가 올랐다.", 0.5, pytest.approx(4.1))
    assert u.wav == u.video and u.video.endswith(
        "TS1/소음환경1/C(일반인)/F(여성)/F(여성)_1/lip_J_1_F_02_C032_A_001.mp4"
    )
    assert u.face == pytest.approx((750 / 1920, 500 / 1080))
    assert found["C032-J1F02-001-A-002"].text == "날씨가 조타."
    assert read.skipped.keys() == {f"{spk}-J1F02-001-A-003" for spk in ("C032", "C033", "C500", "E220")}
    assert "unintelligible" in read.skipped["C032-J1F02-001-A-003"]
    assert read.tables["box_order.tsv"]["C032-J1F02-001-A"].startswith("y_top")


def test_jobs_change_nothing(corpus):
    assert aihub538.read(corpus, nj=1) == aihub538.read(corpus, nj=3)


def test_angles(corpus):
    for angle in "CG":
        put(corpus, "C032", angle=angle)
    put(corpus, "C032", place="K", session=12)
    assert {u.split("-A-")[0] for u in utterances(aihub538.read(corpus)) if u.startswith("C032")} == {
        "C032-J1F02-001",
        "C032-K1F02-012",
    }
    assert {u[15] for u in utterances(aihub538.read(corpus, angles="A,G")) if u.startswith("C032-J")} == {"A", "G"}
    for angles in ("", "A-C", "J"):
        with pytest.raises(ValueError, match="--angles takes letters of ABCDEFGHI"):
            aihub538.read(corpus, angles=angles)
    with pytest.raises(FileNotFoundError, match=r"of angle B .* \(there are other angles: A C G\)"):
        aihub538.read(corpus, angles="B")


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("(이십)/(20) 퍼센트", "이십 퍼센트"),
        ("(이십) / (20)퍼센트", "이십퍼센트"),
        ("(안돼써)(안됐어) 20% 안\u00a0녕\n", "안돼써 20% 안 녕"),
        ("(그런)게/(그러)게 (가)나(다)나", "그런게 가나"),
        ("나는 (웃음) 간다 (박수)", "나는 (웃음) 간다 (박수)"),
        (unicodedata.normalize("NFD", "좋다"), "좋다"),
    ],
)
def test_marks(text, clean):
    assert aihub538.clean_text(text) == clean


@pytest.mark.parametrize(("text", "drop"), [("가 X 나", 1), ("가XX 나", 1), ("x가", 1), ("Xbox 가", 0), ("가 MAX", 0)])
def test_what_nobody_understood(text, drop):
    assert bool(aihub538.UNINTELLIGIBLE.search(text)) == drop


def test_padding_stops_half_way_and_at_the_ends():
    spans = [(4.0, 6.0), (0.2, 3.0), (6.05, 9.0), (8.5, 9.9)]
    wider = aihub538.padded(spans, 0.5, 10.0)
    assert wider == [
        pytest.approx((3.5, 6.025)),
        pytest.approx((0.0, 3.5)),
        pytest.approx((6.025, 9.0)),  # these two overlap: nothing is added there
        pytest.approx((8.5, 10.0)),
    ]
    assert aihub538.padded(spans, 0.0, 10.0) == spans
    assert aihub538.padded([(0.0, 9.0), (1.0, 2.0), (9.4, 9.5)], 0.5, 10.0)[2][0] == pytest.approx(9.2)
    with pytest.raises(ValueError, match="--pad"):
        aihub538.read("/", pad=-1)


def test_speaker_in_both_parts_splits_all_by_speaker(corpus, caplog):
    put(corpus, "E220", kind="V", session=2)
    with caplog.at_level(logging.INFO):
        read = aihub538.read(corpus)
    assert "'E220' is in both Training and Validation" in caplog.text
    speakers = [{u.spk for u in read.sets[name]} for name in SETS]
    assert sum(map(len, speakers)) == len(set().union(*speakers)) == 4 and all(speakers)


def test_one_part_is_split_by_speaker(corpus):
    for path in (corpus / "2.Validation").rglob("lip*"):
        path.unlink()
    assert [len({u.spk for u in aihub538.read(corpus).sets[name]}) for name in SETS] == [1, 1, 1]


def box_order(box, **changes):
    return aihub538.face_boxes(make_label(box=box, **changes)[0], MediaInfo(1, 30, 1920, 1080, True, False))


def test_order_of_boxes_is_found_in_each_file():
    boxes, order = box_order([250, 1200, 600, 1500])  # x beyond the height
    assert order == "y_top,x_left,y_bottom,x_right" and boxes[0] == pytest.approx(
        [1200 / 1920, 250 / 1080, 1500 / 1920, 600 / 1080]
    )
    boxes, order = box_order([1200, 250, 1500, 600])
    assert order == "x_left,y_top,x_right,y_bottom" and aihub538.face_point(boxes, 0, 1) == pytest.approx(
        (1350 / 1920, 425 / 1080)
    )
    assert box_order([-10, 600, 700, 900])[1].startswith("y_top")  # a little outside


@pytest.mark.parametrize("box", [[700, 600, 300, 900], [], None, "x", [None, 1, 2, 3], [9000, 9000, 9900, 9900]])
def test_boxes_that_cannot_be_used(box, corpus):
    boxes, order = box_order(box)
    assert order == "none" and aihub538.face_point(boxes, 0, 1) is None
    put(corpus, "C032", label=make_label(box=box))
    read = aihub538.read(corpus)
    assert utterances(read)["C032-J1F02-001-A-001"].face is None and len(read.sets["eval1"]) == 2


def test_face_follows_the_sentence():
    boxes = [[0, 0, 100, 100]] * 300 + [None] * 10 + [[0, 1000, 100, 1100]] * 290
    label = make_label()[0]
    label["Bounding_box_info"]["Face_bounding_box"]["xtl_ytl_xbr_ybr"] = boxes
    boxes, _ = aihub538.face_boxes(label, MediaInfo(20, 30, 1920, 1080, True, False))
    assert aihub538.face_point(boxes, 0.1, 0.4)[0] == pytest.approx(50 / 1920)
    assert aihub538.face_point(boxes, 0.5, 0.9)[0] == pytest.approx(1050 / 1920)
    assert aihub538.face_point(boxes, 0.502, 0.504) is None


def test_keys_with_spaces_and_encodings(corpus):
    label = json.dumps(make_label(), ensure_ascii=False).replace('"sentence_text"', '"sentence_text "')
    for spk, encoding in (("C032", "cp949"), ("C033", "utf-8-sig")):
        _, path = put(corpus, spk)
        path.write_bytes(label.encode(encoding))
    found = utterances(aihub538.read(corpus))
    assert {found[f"{spk}-J1F02-001-A-001"].text for spk in ("C032", "C033")} == {"최근에 물가가 올랐다."}


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "is no JSON"),
        (b"[{", "is no JSON"),
        (b"\xff\xff", "is not text in utf-8-sig or cp949"),
        (b"[]", "has no list Sentence_info"),
        (b'[{"Sentence_info": 3}]', "has no list Sentence_info"),
    ],
)
def test_damaged_label_costs_its_recording(corpus, data, reason):
    put(corpus, "C032", session=2)
    put(corpus, "C032", session=2)[1].write_bytes(data)
    read = aihub538.read(corpus)
    assert reason in read.skipped["C032-J1F02-002-A"] and "TL1" in read.skipped["C032-J1F02-002-A"]
    assert "C032-J1F02-001-A-001" in utterances(read)


def test_damaged_sentences_cost_themselves(corpus):
    sentences = [
        ("가", 1, 2),
        ("나", 3, 3),
        ("다", 30, 31),
        ("", 5, 6),
        (7, 7, 8),
        ("마", "9.0", "10"),
        ("바", "a", 12),
    ]
    label = make_label(sentences)
    label[0]["Sentence_info"].append("text")
    put(corpus, "C032", label=label)
    read = aihub538.read(corpus)
    assert [u[-3:] for u in utterances(read) if u.startswith("C032")] == ["001", "006"]
    reasons = {key[-3:]: reason for key, reason in read.skipped.items() if key.startswith("C032")}
    assert sorted(reasons) == ["002", "003", "004", "005", "007", "008"]
    assert "lasts 20.00 s" in reasons["003"] and "empty" in reasons["004"] and "sentence 5 has no" in reasons["005"]


def test_damaged_or_lonely_video(corpus, caplog):
    put(corpus, "C032", session=2)[0].write_bytes(b"damaged")
    put(corpus, "C032", session=3)[1].unlink()
    put(corpus, "C032", session=4)[0].unlink()
    with caplog.at_level(logging.WARNING):
        read = aihub538.read(corpus)
    assert "is not a readable video" in read.skipped["C032-J1F02-002-A"]
    assert "has no label" in read.skipped[stem_of("C032", session=3)]
    assert f"1 labels have no video, as {stem_of('C032', session=4)}" in caplog.text


def test_taken_apart_names_and_labels_of_letters(corpus, tmp_path):
    jamo = corpus / unicodedata.normalize("NFD", "1.Training/자소_라벨링데이터/TL1")
    jamo.mkdir(parents=True)
    (jamo / f"{stem_of('C032')}_jaso.json").write_text("[]")
    (jamo / f"{stem_of('C033')}.json").write_text("[]")
    other = tmp_path / "mac"
    for folder in ("1.Training", "2.Validation"):
        for path in sorted((corpus / folder).rglob("lip*")):
            target = other / unicodedata.normalize("NFD", str(path.relative_to(corpus)))
            target.parent.mkdir(parents=True, exist_ok=True)
            os.link(path, target)
    pack(other, unicodedata.normalize("NFD", "1.Training/자소_라벨링데이터/TL2.tar"), {"TL2/x/lip.json": b""})
    for root in (corpus, other):
        found = utterances(aihub538.read(root))
        assert len(found) == 8 and "C033-J1F02-001-A-001" in found


@pytest.fixture
def packed(corpus, tmp_path):
    """The same corpus in tar files, with wav files and a second angle."""
    root = tmp_path / "packed"
    for kind, speakers in (("T", ("C032", "C033", "E220")), ("V", ("C500",))):
        (sources, inner), (labels, label_inner) = folder_of(kind, 5, False), folder_of(kind, 5, True)
        videos = {f"{inner}/{stem_of(spk, angle)}.mp4": spk.encode() * 9 for spk in speakers for angle in "AC"}
        sounds = {f"{inner}/{stem_of(spk)}.wav": b"sound" for spk in speakers}
        pack(root, f"{sources}/{kind}S5.tar", videos | sounds)
        label = json.dumps(make_label()).encode()
        pack(root, f"{labels}/{kind}L5.tar", {f"{label_inner}/{stem_of(spk)}.json": label for spk in speakers})
    return root


def test_tar_files_give_the_wanted_videos(packed, corpus, tmp_path):
    with pytest.raises(ValueError, match=r"4 videos lie in tar files, .*S5.tar; .*--extract_dir"):
        aihub538.read(packed)
    out = tmp_path / "videos"
    pack(packed, "a.tar", {unicodedata.normalize("NFD", f"자소_TL5/{stem_of('C032')}.json"): b"[]"})
    read = aihub538.read(packed, extract_dir=str(out))
    files = sorted(str(path.relative_to(out)) for path in out.rglob("*") if path.is_file())
    assert files == [f"{spk}/{stem_of(spk)}.mp4" for spk in ("C032", "C033", "C500", "E220")]
    assert (out / files[0]).read_bytes() == b"C032" * 9
    unpacked = utterances(aihub538.read(corpus))
    assert {key: (u.text, u.start, u.face) for key, u in utterances(read).items()} == {
        key: (u.text, u.start, u.face) for key, u in unpacked.items()
    }
    assert {u.spk for u in read.sets["eval1"]} == {"C500"}


def test_extraction_goes_on(packed, tmp_path, monkeypatch):
    out = tmp_path / "videos"
    aihub538.read(packed, extract_dir=str(out))
    kept, broken = (out / f"{spk}/{stem_of(spk)}.mp4" for spk in ("C032", "C033"))
    kept.write_bytes(b"x" * 36)  # not looked into again
    broken.write_bytes(b"half")
    (out / "C033/.lip.999999999.tmp.mp4").touch()
    aihub538.read(packed, extract_dir=str(out), nj=2)
    assert kept.read_bytes() == b"x" * 36 and broken.read_bytes() == b"C033" * 9
    assert not list(out.rglob(".*"))
    monkeypatch.setattr(aihub538.shutil, "disk_usage", lambda path: type("Usage", (), {"free": 10}))
    broken.unlink()
    with pytest.raises(RuntimeError, match="1 videos need .* make room"):
        aihub538.read(packed, extract_dir=str(out))
    assert not broken.exists()


def test_unpacked_videos_come_first(packed, corpus, tmp_path):
    for path in (corpus / "1.Training").rglob("*.mp4"):
        target = packed / "1.Training/원천데이터/unpacked" / path.name
        target.parent.mkdir(exist_ok=True)
        os.link(path, target)
    found = utterances(aihub538.read(packed, extract_dir=str(tmp_path / "videos")))
    assert "unpacked" in found["C032-J1F02-001-A-001"].video
    assert found["C500-J1F02-001-A-001"].video == str(tmp_path / f"videos/C500/{stem_of('C500')}.mp4")


def test_archive_that_ends_too_early(packed, tmp_path):
    tar = packed / "1.Training/원천데이터/TS5.tar"
    with tarfile.open(tar) as archive:
        member = archive.getmembers()[4]  # E220's angle A
    data, first, second = tar.read_bytes(), member.offset, member.offset_data - 512  # its two headers, and the data
    for damaged in (
        data[: member.offset_data + 10],
        data[:first] + b"\x55" * 512 + data[first + 512 :],
        data[:second] + b"\x55" * 512 + data[second + 512 :],
    ):
        tar.write_bytes(damaged)
        read = aihub538.read(packed, extract_dir=str(tmp_path / "videos"))
        assert {u.spk for u in utterances(read).values()} == {"C032", "C033", "C500"}
        assert read.skipped["1.Training/원천데이터/TS5.tar"].startswith("the archive")
    tar.write_bytes(b"no archive")
    with pytest.raises(ValueError, match=r"1 speakers \(C500\)"):
        aihub538.read(packed, extract_dir=str(tmp_path / "videos"))


def test_nothing_there(tmp_path, corpus):
    with pytest.raises(ValueError, match="--db_root"):
        aihub538.read("")
    with pytest.raises(FileNotFoundError, match="no folder .*gone"):
        aihub538.read(tmp_path / "gone")
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match=r"no .*TS1/.*lip_J_1_F_02_C032_A_010.mp4: there should be videos"):
        aihub538.read(tmp_path / "empty")
    for path in corpus.rglob("*.json"):
        path.unlink()
    with pytest.raises(FileNotFoundError, match=r"no .*라벨링데이터/TL1/.*C032_A_010.json: there should be labels"):
        aihub538.read(corpus)


def test_worker_writes_valid_sets(corpus, tmp_path):
    options = {"angles": "A", "pad": 0.5, "extract_dir": "", "dev_share": 0.05, "eval_share": 0.05}
    prepare(aihub538, str(tmp_path / "data"), db_root=str(corpus), nj=2, **options)
    assert [len(read_data_dir(tmp_path / "data" / name)) for name in SETS] == [4, 2, 2]
    assert (tmp_path / "data/dev/segments").is_file() and (tmp_path / "data/dev/utt2face").is_file()
    assert len((tmp_path / "data/box_order.tsv").read_text().splitlines()) == 4
