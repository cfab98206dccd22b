"""One's own recordings: rates and formats mixed, levels apart, a language that nobody names."""

import soundfile

from silvertalk.data import read_scp
from silvertalk.media import read_audio
from silvertalk.media.speech import speech_level, speech_mask

SENTENCE = "good morning zoe please call the doctor"


def test_stages_1_to_5(tmp_path, write_sound, run_recipe, data_sets):
    root = tmp_path / "anna"
    names = [f"{k:05d}{suffix}" for k, suffix in enumerate((".wav", ".flac", ".m4a") * 4)]
    for k, name in enumerate(names):
        write_sound(root / name, rate=(16000, 44100)[k % 2])
    loud, rate = soundfile.read(root / names[0])
    soundfile.write(root / names[0], loud / 10, rate)
    lines = [f"{name}|{SENTENCE}, {k}." for k, name in enumerate(names)]
    (root / "transcripts.txt").write_text("\r\n".join([*lines, "99999.wav|gone"]), encoding="utf-8-sig")
    result = run_recipe("custom/tts1", "--db_root", root, "--stop_stage", 5)
    assert result.returncode == 0, result.stdout
    assert "1 lines without a recording (first: transcripts.txt:13: no 99999.wav)" in result.stdout
    assert "language en, by the letters of 8 of 8 transcripts" in result.stdout
    sets = data_sets()
    assert {name: len(own) for name, own in sets.items()} == {"tr_no_dev": 8, "dev": 2, "eval1": 2}
    for name in ("tr_no_dev", "dev", "eval1"):
        for path in read_scp(tmp_path / f"work/dump/raw/{name}/wav.scp").values():
            wav, rate = read_audio(path)
            assert rate == 16000 and abs(speech_level(wav, speech_mask(wav)) + 23) < 1, path
    tokens = (tmp_path / "work/dump/token_list/phn/tokens.txt").read_text(encoding="utf-8").split()
    assert {"ɡ", "ʊ", "<space>", ",", "."} <= {token.strip("ˈˌ") for token in tokens} and "good" not in tokens
