"""LRS2: sentences and a talk that is cut, a damaged video, a programme that is tested on and trained on."""

from silvertalk.data import read_scp

TRAIN, VAL, TEST = "5535415699068794046", "5535423430009926848", "6330311066473698535"
WORDS = "\nWORD START END ASDSCORE\nGOOD 0.10 0.40 3.2\nMORNING 0.45 1.00 4.1\nZOE 1.45 2.30 2.0\n"


def test_stages(tmp_path, write_video, run_recipe, data_sets, last_stage):
    main, pretrain = (tmp_path / "lrs2/mvlrs_v1" / part for part in ("main", "pretrain"))
    for clip in (main / TRAIN / "00001", main / VAL / "00001", main / TEST / "00001", pretrain / TEST / "00002"):
        write_video(clip.with_suffix(".mp4"))
        clip.with_suffix(".txt").write_text("Text:  GOOD MORNING\nConf:  4\n")
    write_video(pretrain / TRAIN / "00002.mp4", seconds=2.4)
    (pretrain / TRAIN / "00002.txt").write_text("Text:  GOOD MORNING ZOE\nConf:  3\n" + WORDS)
    broken = main / TRAIN / "00009.mp4"
    broken.write_bytes((main / TRAIN / "00001.mp4").read_bytes()[:200])
    broken.with_suffix(".txt").write_text("Text:  GOOD MORNING\nConf:  4\n")
    for name, lines in {
        "train": [f"{TRAIN}/00001", f"{TRAIN}/00009"],
        "val": [f"{VAL}/00001"],
        "test": [f"{TEST}/00001 NF"],
        "pretrain": [f"{TRAIN}/00002", f"{TEST}/00002"],
    }.items():
        (tmp_path / f"lrs2/{name}.txt").write_text("\n".join(lines) + "\n")
    options = "--pretrain true --max_seconds 1.5"
    result = run_recipe(
        "lrs2/av1", "--db_root", tmp_path / "lrs2", "--local_data_opts", options, "--stop_stage", last_stage
    )
    assert result.returncode == 0, result.stdout
    sets = data_sets()
    assert [(u.utt_id, u.text) for u in sets["tr_no_dev"]] == [
        (f"{TRAIN}-00001", "GOOD MORNING"),
        (f"{TRAIN}-pretrain-00002-001", "GOOD MORNING"),
        (f"{TRAIN}-pretrain-00002-002", "ZOE"),
    ]
    assert [u.utt_id for u in sets["dev"]] == [f"{VAL}-00001"]
    assert [(u.utt_id, u.face) for u in sets["eval1"]] == [(f"{TEST}-00001", (0.5, 0.5))]
    assert f"{TRAIN}-00009\t" in (tmp_path / "work/data/skipped.tsv").read_text()
    assert f"{TEST}-pretrain-00002\t" in (tmp_path / "work/data/left_out.tsv").read_text()
    if last_stage == 4:
        frames = read_scp(tmp_path / "work/dump/face/tr_no_dev/utt2num_frames")
        assert {utt_id[20:]: round(int(number) / 25, 1) for utt_id, number in frames.items()} == {
            "00001": 1.2,
            "pretrain-00002-001": 1.2,
            "pretrain-00002-002": 1.2,
        }
        assert list(read_scp(tmp_path / "work/dump/face/eval1/mel.scp")) == [f"{TEST}-00001"]
        assert len(read_scp(tmp_path / "work/dump/raw/tr_no_dev/wav.scp")) == 3
