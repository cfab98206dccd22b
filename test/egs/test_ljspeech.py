"""LJSpeech: stage 1 through the recipe; what follows is that of one's own English recordings (test_custom.py)."""

from silvertalk.data import read_scp


def test_stage_1(tmp_path, write_sound, run_recipe, data_sets):
    root = tmp_path / "LJSpeech-1.1"
    for k in range(8):
        write_sound(root / f"wavs/LJ001-{k:04d}{'.flac' if k % 2 else '.wav'}", rate=22050)
    lines = [f'LJ001-{k:04d}|"In 1825|"In eighteen twenty-five, No. {k}' for k in range(8)]
    (root / "metadata.csv").write_text("\n".join(lines), encoding="utf-8")
    result = run_recipe("ljspeech/tts1", "--db_root", tmp_path, "--stop_stage", 1)
    assert result.returncode == 0, result.stdout
    assert "g2p espeak: eSpeak NG speaks 'en-us'" in result.stdout
    assert {name: len(own) for name, own in data_sets().items()} == {"tr_no_dev": 6, "dev": 1, "eval1": 1}
    assert read_scp(tmp_path / "work/data/tr_no_dev/text")["LJ001-0003"] == '"In eighteen twenty-five, No. 3'
