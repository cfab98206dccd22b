"""LRS3: text files of version 0.4 apart from the videos, YouTube ids with dashes, a damaged video."""

from silvertalk.data import read_scp

TALKS, TEST = ("-1-_bKdiOjk", "00j9bKdiOjk"), "0Fi83BHQsMA"
FRAMES = "FRAME \tX \tY \tW \tH \n001143 \t0.425 \t0.195 \t0.185 \t0.329 \n"
WORDS = "WORD START END ASDSCORE\nGOOD 0.10 0.40 3.2\nMORNING 0.45 1.00 4.1\n"


def test_stages(tmp_path, write_video, run_recipe, data_sets, last_stage):
    root = tmp_path / "db"
    for clip in (*(f"trainval/{talk}/50001" for talk in TALKS), f"test/{TEST}/00002", f"pretrain/{TALKS[0]}/00001"):
        write_video(root / f"lrs3/{clip}.mp4")
        text = root / f"lrs3_v0.4/{clip}.txt"
        text.parent.mkdir(parents=True, exist_ok=True)
        head = f"Text:  GOOD MORNING\nConf:  5\nRef:  {text.parent.name}\n"
        text.write_text("\n".join([head, FRAMES, WORDS] if "pretrain" in clip else [head, FRAMES]))
    (root / f"lrs3/test/{TEST}/00003.mp4").write_bytes(b"\0" * 100)
    (root / f"lrs3_v0.4/test/{TEST}/00003.txt").write_text("Text:  GOOD MORNING\nConf:  5\n")
    result = run_recipe(
        "lrs3/av1", "--db_root", root, "--local_data_opts", "--pretrain true", "--stop_stage", last_stage
    )
    assert result.returncode == 0, result.stdout
    sets = data_sets()
    talks = {name: {u.spk for u in own} for name, own in sets.items()}
    assert talks["eval1"] == {TEST} and talks["dev"] | talks["tr_no_dev"] == set(TALKS)
    assert not talks["dev"] & talks["tr_no_dev"]
    assert {u.text for own in sets.values() for u in own} == {"GOOD MORNING"}
    in_training, left_out = (f"{TALKS[0]}-pretrain-00001" in text for text in (
        (tmp_path / "work/data/tr_no_dev/text").read_text(), (tmp_path / "work/data/left_out.tsv").read_text()
    ))  # fmt: skip
    assert in_training == (TALKS[0] in talks["tr_no_dev"]) == (not left_out)
    assert (tmp_path / "work/data/skipped.tsv").read_text().startswith(f"{TEST}-00003\t")
    if last_stage == 4:
        assert list(read_scp(tmp_path / "work/dump/face/eval1/mel.scp")) == [f"{TEST}-00002"]
        assert len(read_scp(tmp_path / "work/dump/face/tr_no_dev/video.scp")) == len(sets["tr_no_dev"])
