"""LJSpeech: the sounds of eSpeak NG are the tokens, numbers are words."""

from silvertalk.data import read_scp
from silvertalk.tts.g2p import phonemise


def test_stages_1_to_5(tmp_path, write_sound, run_recipe, data_sets):
    root = tmp_path / "LJSpeech-1.1"
    for k in range(8):
        write_sound(root / f"wavs/LJ001-{k:04d}{'.flac' if k % 2 else '.wav'}", rate=22050)
    lines = [f'LJ001-{k:04d}|"In 1825|"In eighteen twenty-five, No. {k}' for k in range(8)]
    (root / "metadata.csv").write_text("\n".join(lines), encoding="utf-8")
    result = run_recipe("ljspeech/tts1", "--db_root", root, "--stop_stage", 5)
    assert result.returncode == 0, result.stdout
    assert {name: len(own) for name, own in data_sets().items()} == {"tr_no_dev": 6, "dev": 1, "eval1": 1}
    text = read_scp(tmp_path / "work/dump/token_list/phn/text/tr_no_dev")["LJ001-0003"]
    assert text.split() == phonemise("In eighteen twenty-five, number three", "en")
