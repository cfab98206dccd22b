"""CMLR: sound apart from the picture, names with dots, a speaker's folder in another, a damaged video."""

from silvertalk.data import read_scp

DATE = "20151203"
TRAIN, VAL, TEST, BROKEN = (f"section_6_0{k}0.63_035.{k}3" for k in range(4))


def test_stages(tmp_path, write_video, write_sound, run_recipe, data_sets, last_stage):
    root = tmp_path / "CMLR"
    for folder in ("s1", "s5/s5"):
        for section in (TRAIN, VAL, TEST):
            write_video(root / f"video/{folder}/{DATE}/{section}.mp4", sound=False)
            write_sound(root / f"audio/{folder}/{DATE}/{section}.wav")
            text = root / f"text/{folder}/{DATE}/{section}.txt"
            text.parent.mkdir(parents=True, exist_ok=True)
            text.write_text("我们要 做好伙伴\n我们 0.10 0.40\n", encoding="utf-8")
    for kind, suffix in (("video", "mp4"), ("audio", "wav"), ("text", "txt")):
        (root / f"{kind}/s1/{DATE}/{BROKEN}.{suffix}").write_text("我们\n" if kind == "text" else "")
    for file, sections in {"train": [TRAIN, BROKEN], "val": [VAL], "test": [TEST]}.items():
        lines = [f"{spk}/{DATE}_{section}\n" for spk in ("s1", "s5") for section in sections]
        (root / f"{file}.csv").write_text("".join(line for line in lines if line != f"s5/{DATE}_{BROKEN}\n"))
    result = run_recipe("cmlr/av1", "--db_root", root, "--stop_stage", last_stage)
    assert result.returncode == 0, result.stdout
    sets = data_sets()
    ids = {name: [u.utt_id for u in own] for name, own in sets.items()}
    assert ids == {
        name: [f"{spk}-{DATE}-{section}" for spk in ("s1", "s5")]
        for name, section in {"tr_no_dev": TRAIN, "dev": VAL, "eval1": TEST}.items()
    }
    assert {u.text for own in sets.values() for u in own} == {"我们要做好伙伴"}
    assert sets["dev"][1].wav == str(root / f"audio/s5/s5/{DATE}/{VAL}.wav")
    assert (tmp_path / "work/data/skipped.tsv").read_text().startswith(f"s1-{DATE}-{BROKEN}\t")
    if last_stage == 4:
        assert list(read_scp(tmp_path / "work/dump/face/eval1/mel.scp")) == ids["eval1"]
        assert len(set(read_scp(tmp_path / "work/dump/raw/eval1/wav.scp").values())) == 2
