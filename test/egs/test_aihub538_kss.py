"""The worked example: it takes the voice and the face of other recipes, and says which one is missing."""

import json

SENTENCE = {"ID": 1, "sentence_text": "날씨가 좋다.", "start_time": 0.0, "end_time": 1.0}


def test_stages(tmp_path, write_video, run_recipe, data_sets, last_stage):
    folder = tmp_path / "aihub538/1.Training/TS1"
    for spk in ("C031", "C032", "E220"):
        write_video(folder / f"lip_J_1_F_02_{spk}_A_001.mp4", fps=30)
        (folder / f"lip_J_1_F_02_{spk}_A_001.json").write_text(json.dumps([{"Sentence_info": [SENTENCE]}]))
    (folder / "lip_J_1_F_02_E999_A_001.mp4").write_bytes(b"damaged")
    (folder / "lip_J_1_F_02_E999_A_001.json").write_text(json.dumps([{"Sentence_info": [SENTENCE]}]))
    models = [tmp_path / "kss/exp/tts_x", tmp_path / "face/exp/syncnet_x", tmp_path / "face/exp/wav2lip_x"]
    options = ["--db_root", tmp_path / "aihub538", "--stage", 1, "--stop_stage", last_stage]
    options += ["--datadir", tmp_path / "work/data", "--dumpdir", tmp_path / "work/dump"]
    for name, path in zip(("--tts_exp", "--syncnet_exp", "--wav2lip_exp"), models, strict=True):
        options += [name, path]
    result = run_recipe("aihub538_kss/av1", *options)
    assert result.returncode != 0 and f"no folder {models[0]}; give --tts_exp" in result.stdout
    for path in models:
        path.mkdir(parents=True)
    (models[0] / "config.yaml").write_text("tts: jets\n")
    result = run_recipe("aihub538_kss/av1", *options)
    assert result.returncode == 0, result.stdout
    assert f"the voice is {models[0]}: stages 5 to 7 are left out" in result.stdout
    assert f"the face is {models[2]}: stages 9 and 10 are left out" in result.stdout
    sets = data_sets()
    assert {u.text for own in sets.values() for u in own} == {"날씨가 좋다."}
    assert "E999-J1F02-001-A\t" in (tmp_path / "work/data/skipped.tsv").read_text()
    if last_stage == 4:
        assert (tmp_path / "work/dump/face/eval1/mel.scp").is_file()
        assert (tmp_path / "work/dump/raw/eval1/wav.scp").is_file()
