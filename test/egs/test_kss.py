"""KSS: one speaker in all sets, a damaged recording, 44.1 kHz made 24 kHz."""

import soundfile

from silvertalk.data import read_scp

SENTENCE = "저는 보통 {} 분 정도 낮잠을 잡니다."


def test_stages(tmp_path, write_sound, run_recipe, data_sets, last_stage):
    root = tmp_path / "kss"
    lines = []
    for k in range(12):
        name = f"{1 + k // 6}/{1 + k // 6}_{470 + k:04d}.wav"
        write_sound(root / name, rate=44100)
        lines.append(f"{name}|{SENTENCE.format(20)}|{SENTENCE.format('이십')}|x|1.2|I take a nap.")
    (root / name).write_bytes((root / name).read_bytes()[:30])
    (root / "transcript.v.1.4.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    options = "--dev_share 0.1 --eval_share 0.1"
    result = run_recipe("kss/tts1", "--db_root", root, "--local_data_opts", options, "--stop_stage", last_stage)
    assert result.returncode == 0, result.stdout
    assert "no video: stages 3, 9 to 15" in result.stdout
    sets = data_sets()
    assert {name: len(own) for name, own in sets.items()} == {"tr_no_dev": 9, "dev": 1, "eval1": 1}
    assert {u.text for own in sets.values() for u in own} == {SENTENCE.format("이십")}
    assert {u.spk for own in sets.values() for u in own} == {"kss"}
    assert (tmp_path / "work/data/skipped.tsv").read_text().startswith("kss_2_0481\t")
    if last_stage == 4:
        (wav,) = read_scp(tmp_path / "work/dump/raw/eval1/wav.scp").values()
        assert soundfile.info(wav).samplerate == 24000
        assert len(read_scp(tmp_path / "work/dump/raw/tr_no_dev/wav.scp")) == 9
