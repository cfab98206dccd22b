"""HDTF: a whole video with a span in it, clips under both names, a clip cut to the face, a damaged one."""

from silvertalk.data import read_scp

PEOPLE = {"RD": ["Radio1"], "WDA": ["AdamSmith", "BobbyScott0"], "WRA": ["DebFischer0"]}


def test_stages_1_to_4(tmp_path, write_video, run_recipe, data_sets):
    root = tmp_path / "hdtf"
    (root / "HDTF_dataset").mkdir(parents=True)
    for subset, names in PEOPLE.items():
        lists = {
            "video_url": "".join(f"{name} https://www.youtube.com/watch?v={name:_<11}\n" for name in names),
            "annotion_time": "".join(f"{name}.mp4 00:00-00:01 00:01-00:02 \n" for name in names),
            "resolution": "".join(f"{name}.mp4 720\n" for name in names),
            "crop_wh": "".join(f"{name}_0.mp4 160 400 160 400\n" for name in names),
        }
        for name, text in lists.items():
            bom = "\ufeff" if (subset, name) == ("WDA", "video_url") else ""
            (root / f"HDTF_dataset/{subset}_{name}.txt").write_text(bom + text, encoding="utf-8")
    write_video(root / "videos/RD_Radio1.mp4", fps=30, rate=44100, seconds=2.0)
    write_video(root / "WDA_AdamSmith_000.mp4", rate=44100)
    write_video(root / "BobbyScott0_0.mp4", rate=44100)
    write_video(root / "BobbyScott0_1.mp4", sound=False)
    damaged = write_video(root / "WRA_DebFischer0_000.mp4", rate=44100).read_bytes()[:1000]
    (root / "WRA_DebFischer0_000.mp4").unlink()
    (root / "WRA_DebFischer0_000.mp4").write_bytes(damaged)
    result = run_recipe("hdtf/av1", "--db_root", root)
    assert result.returncode == 0, result.stdout
    sets = data_sets()
    found = {u.utt_id: u for own in sets.values() for u in own}
    assert sorted(found) == [
        "RD_Radio-Radio1_0-000",
        "RD_Radio-Radio1_1-000",
        "WDA_AdamSmith-AdamSmith_0-000",
        "WDA_BobbyScott-BobbyScott0_0-000",
    ]
    assert (found["RD_Radio-Radio1_1-000"].start, found["RD_Radio-Radio1_1-000"].end) == (1.0, 2.0)
    assert all(u.text is None for u in found.values())
    assert sorted(read_scp(tmp_path / "work/data/skipped.tsv")) == [
        "WDA_BobbyScott-BobbyScott0_1-000",
        "WRA_DebFischer-DebFischer0_0-000",
    ]
    assert "WDA_AdamSmith_1" in read_scp(tmp_path / "work/data/missing.tsv")
    dump = tmp_path / "work/dump"
    assert len(read_scp(dump / "face/eval1/mel.scp")) == len(sets["eval1"])
    assert set(read_scp(dump / "raw/eval1/wav.scp")) == {u.utt_id for u in sets["eval1"]}
