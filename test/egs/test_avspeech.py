"""AVSpeech: whole videos and clips under the downloaders' names, of several frame rates, one damaged, one missing."""

from silvertalk.data import read_scp

ROWS = {
    "train": ["-train00001,0.000000,1.000000,0.5,0.4", "-train00001,0.900000,1.900000,0.5,0.4"]
    + [f"{video},90.000000,91.200000,0.5,0.4" for video in ("train_-0002", "train_-0003", "gone_000004")],
    "test": ["test_-00001,90.000000,91.200000,0.498438,0.284722"],
}


def test_stages(tmp_path, write_video, run_recipe, data_sets, last_stage):
    root = tmp_path / "avspeech"
    root.mkdir()
    for name, rows in ROWS.items():
        (root / f"avspeech_{name}.csv").write_text("".join(f"{row}\n" for row in rows))
    write_video(root / "videos/-train00001.mp4", fps=30, rate=44100, seconds=2.0)
    write_video(root / "train_-0002/train_-0002_90.000000_91.200000_video.mp4", fps=24000 / 1001)
    write_video(root / "test_-00001_090.000000-091.200000.mp4", fps=15)
    (root / "train_-0003_90.0_91.2.mp4").write_bytes((root / "videos/-train00001.mp4").read_bytes()[:1000])
    result = run_recipe("avspeech/av1", "--db_root", root, "--stop_stage", last_stage)
    assert result.returncode == 0, result.stdout
    sets = data_sets()
    found = {u.utt_id: u for own in sets.values() for u in own}
    assert sorted(found) == [
        "-train00001-00000000-00001000",
        "-train00001-00000900-00001900",
        "test_-00001-00090000-00091200",
        "train_-0002-00090000-00091200",
    ]
    assert [u.spk for u in sets["eval1"]] == ["test_-00001"] and sets["eval1"][0].face == (0.4984, 0.2847)
    assert list(read_scp(tmp_path / "work/data/skipped.tsv")) == ["train_-0003-00090000-00091200"]
    assert list(read_scp(tmp_path / "work/data/missing.tsv")) == ["gone_000004"]
    if last_stage == 4:
        dump = tmp_path / "work/dump"
        assert list(read_scp(dump / "face/eval1/mel.scp")) == list(read_scp(dump / "raw/eval1/wav.scp"))
        assert len(read_scp(dump / "face/tr_no_dev/mel.scp")) + len(read_scp(dump / "face/dev/mel.scp")) == 3
