"""AI Hub 538: training in tar files, validation unpacked, a damaged video and a damaged label."""

import json
import tarfile

import pytest

from silvertalk.data import read_scp
from silvertalk.media import probe

FOLDER = "소음환경1/C(일반인)/F(여성)/F(여성)_1"
SENTENCES = (("날씨가 (조타)/(좋다).", 0.1, 1.1), ("X 모르겠다.", 1.15, 1.3), ("비가\u00a0온다.", 1.35, 2.3))


def write_label(path, width, height, num_sentences):
    """A label as published, whose boxes have y first and say that the face is in the middle."""
    sentences = [
        {"ID": k, "topic": "weather", "sentence_text": text, "start_time": start, "end_time": end}
        for k, (text, start, end) in enumerate(SENTENCES[:num_sentences], 1)
    ]
    box = [height * 0.3, width * 0.4, height * 0.7, width * 0.6]
    label = [
        {
            "Video_info": {"video_Name": f"{path.stem}.mp4", "FPS": 30, "Resolution": "1920*1080"},
            "Sentence_info ": sentences,
            "Bounding_box_info": {"Face_bounding_box": {"xtl_ytl_xbr_ybr": [box] * 72}},
        }
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(label, ensure_ascii=False), encoding="utf-8")


def write_part(part, number, speakers, write_video, num_sentences):
    """Source and label tree of one part, T or V, unpacked; returns the trees' folders."""
    sources, labels = part / f"원천데이터/{number.replace('_', 'S')}", part / f"라벨링데이터/{number.replace('_', 'L')}"
    for spk in speakers:
        stem = f"lip_J_1_F_02_{spk}_A_001"
        video = write_video(sources / FOLDER / f"{stem}.mp4", fps=29.97, rate=48000, seconds=2.4)
        write_label(labels / FOLDER / f"{stem}.json", (info := probe(video)).width, info.height, num_sentences)
    return sources, labels


def test_stages_1_to_4(tmp_path, write_video, run_recipe, data_sets):
    root = tmp_path / "009.립리딩(입모양) 음성인식 데이터/01.데이터"
    trees = write_part(root / "1.Training", "T_1", ["C031", "C032", "C033", "E220"], write_video, 1)
    write_part(root / "2.Validation", "V_5", ["C500"], write_video, 3)
    damaged = trees[0] / FOLDER / "lip_J_1_F_02_C031_A_001.mp4"
    half = damaged.read_bytes()[:3000]
    damaged.unlink()  # it is a link
    damaged.write_bytes(half)
    (trees[1] / FOLDER / "lip_J_1_F_02_C032_A_001.json").write_text('[{"Sentence_info": [')
    for tree in trees:
        with tarfile.open(tree.with_suffix(".tar"), "w", dereference=True) as tar:  # copies, no hard links
            tar.add(tree, tree.name)
        tree.rename(tmp_path / tree.name)
    options = f"--pad 0.2 --extract_dir {tmp_path}/videos"
    result = run_recipe("aihub538/av1", "--db_root", root, "--local_data_opts", options)
    assert result.returncode == 0, result.stdout
    assert "face boxes as y_top,x_left,y_bottom,x_right in 3 recordings" in result.stdout
    sets = data_sets()
    assert [(u.utt_id, u.text) for u in sets["eval1"]] == [
        ("C500-J1F02-001-A-001", "날씨가 조타."),
        ("C500-J1F02-001-A-003", "비가 온다."),
    ]
    assert sets["eval1"][1].face == (0.5, 0.5) and sets["eval1"][0].end == pytest.approx(1.125)
    assert {u.spk for name in ("tr_no_dev", "dev") for u in sets[name]} == {"C033", "E220"}
    assert sets["dev"][0].video.startswith(f"{tmp_path}/videos/")
    skipped = (tmp_path / "work/data/skipped.tsv").read_text(encoding="utf-8")
    assert "C031-J1F02-001-A\t" in skipped and "C032-J1F02-001-A\t" in skipped and len(skipped.splitlines()) == 3
    frames = read_scp(tmp_path / "work/dump/face/eval1/utt2num_frames")
    assert frames["C500-J1F02-001-A-001"] == "29"
    assert list(read_scp(tmp_path / "work/dump/face/eval1/mel.scp")) == [u.utt_id for u in sets["eval1"]]
    assert len(read_scp(tmp_path / "work/dump/raw/eval1/wav.scp")) == 2
