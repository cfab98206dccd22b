"""VoxCeleb2: two trees, one of pictures without sound and one of sound."""

CLIPS = ["21Uxsk56VDQ/00001", "3Vwp7Txt6p4/00001"]
SPEAKERS = {"dev": ["id00012", "id00015"], "test": ["id00017"]}


def test_stages(tmp_path, write_video, write_sound, run_recipe, data_sets, last_stage):
    root = tmp_path / "vox2"
    for half, speakers in SPEAKERS.items():
        for clip in (f"{spk}/{clip}" for spk in speakers for clip in CLIPS):
            write_video(root / f"{half}/mp4/{clip}.mp4", sound=False)
            write_sound(root / f"{half}/aac/{clip}.m4a")
    (root / f"test/aac/id00017/{CLIPS[1]}.m4a").write_bytes(b"no sound")
    rows = [f"{spk} ,n000001 ,m ,{half} " for half, speakers in SPEAKERS.items() for spk in speakers]
    (root / "vox2_meta.csv").write_text("\n".join(["VoxCeleb2 ID ,VGGFace2 ID ,Gender ,Set ", *rows]) + "\n")
    result = run_recipe("voxceleb2/av1", "--db_root", root, "--stop_stage", last_stage)
    assert result.returncode == 0, result.stdout
    sets = data_sets()
    assert [u.utt_id for u in sets["eval1"]] == ["id00017-21Uxsk56VDQ-00001"] and sets["eval1"][0].text is None
    assert {len(sets[name]) for name in ("tr_no_dev", "dev")} == {2}
    assert "id00017-3Vwp7Txt6p4-00001" in (tmp_path / "work/data/skipped.tsv").read_text()
    if last_stage == 4:
        for name in ("tr_no_dev", "dev", "eval1"):
            assert (tmp_path / "work/dump/face" / name / "mel.scp").is_file()
        assert (tmp_path / "work/dump/raw/eval1/wav.scp").is_file()
