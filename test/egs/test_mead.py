"""MEAD: 30 fps pictures and sound in separate trees, one actor of a mirror whose pictures have the sound."""


def test_stages(tmp_path, write_video, write_sound, run_recipe, data_sets, last_stage):
    root = tmp_path / "MEAD"
    for actor in ("M003", "W009"):
        for place in ("angry/level_2/001", "neutral/level_1/001"):
            write_video(root / f"{actor}/video/front/{place}.mp4", fps=30, sound=False)
            write_sound(root / f"{actor}/audio/{place}.m4a", rate=48000)
    write_video(root / "M005/front/angry/level_2/001.mp4", fps=30, rate=48000)
    (root / "M003/video/front/angry/level_2/001.mp4").unlink()
    (root / "M003/video/front/angry/level_2/001.mp4").write_bytes(b"no video")
    result = run_recipe("mead/av1", "--db_root", root, "--stop_stage", last_stage)
    assert result.returncode == 0, result.stdout
    found = [u for own in data_sets().values() for u in own]
    names = ["M003-front-neutral-1-001", "M005-front-angry-2-001", "W009-front-angry-2-001", "W009-front-neutral-1-001"]
    assert sorted(u.utt_id for u in found) == names and all(u.text is None for u in found)
    assert [u.utt_id for u in found if u.wav == u.video] == ["M005-front-angry-2-001"]
    assert "M003-front-angry-2-001" in (tmp_path / "work/data/skipped.tsv").read_text()
    if last_stage == 4:
        for name in ("tr_no_dev", "dev", "eval1"):
            assert (tmp_path / "work/dump/face" / name / "mel.scp").is_file()
        assert (tmp_path / "work/dump/raw/eval1/wav.scp").is_file()
