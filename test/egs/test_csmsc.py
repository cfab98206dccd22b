"""CSMSC: syllables are the tokens, silence around the sentences is cut."""

from silvertalk.data import read_scp

INTERVALS = '0\n1.2\n4\n0\n0.2\n"sil"\n0.2\n0.6\n"k"\n0.6\n1.1\n"a2"\n1.1\n1.2\n"sil"\n'


def test_stages_1_to_5(tmp_path, write_sound, run_recipe, data_sets):
    root = tmp_path / "BZNSYP"
    for folder in ("PhoneLabeling", "ProsodyLabeling"):
        (root / folder).mkdir(parents=True)
    lines = []
    for k in range(1, 9):
        write_sound(root / f"Wave/{k:06d}.wav", rate=48000)
        (root / f"PhoneLabeling/{k:06d}.interval").write_text(INTERVALS)
        lines.append(f"{k:06d}\t卡尔普#2陪外孙#1玩滑梯#3，{k}次#4。\n\tka2 er2 pu3\n")
    (root / "ProsodyLabeling/000001-010000.txt").write_text("".join(lines), encoding="utf-8")
    result = run_recipe("csmsc/tts1", "--db_root", root, "--stop_stage", 5)
    assert result.returncode == 0, result.stdout
    assert {name: len(own) for name, own in data_sets().items()} == {"tr_no_dev": 6, "dev": 1, "eval1": 1}
    assert max(map(int, read_scp(tmp_path / "work/dump/raw/tr_no_dev/utt2num_samples").values())) <= 0.9 * 24000
    tokens = (tmp_path / "work/dump/token_list/phn/tokens.txt").read_text(encoding="utf-8").split()
    assert {"k", "a3", "er3", "ua2"} & set(tokens) and not any("#" in token for token in tokens)
