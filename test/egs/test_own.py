"""Own videos: a folder for each speaker, names with spaces, dots and Korean letters, a long and a damaged video."""

from silvertalk.data import read_scp


def test_stages_1_to_4(tmp_path, write_video, run_recipe, data_sets):
    root = tmp_path / "own"
    for spk in ("김 할머니", "bob", "eve"):
        write_video(root / f"{spk}/my film.v2.mov", seconds=1.2)
    write_video(root / "bob/whole.mkv", seconds=3)
    (root / "bob/broken.mp4").write_bytes(b"\x00\x00\x00\x18ftypmp42 and no more")
    for k in range(4):
        write_video(root / f"bob/more/{k}.mov", seconds=1.2)
    short = [
        *(f"{spk}/my film.v2.mov" for spk in ("김 할머니", "bob", "eve")),
        *(f"bob/more/{k}.mov" for k in range(4)),
    ]
    lines = [f"{name}|좋은 아침\n" for name in short]
    (root / "transcripts.txt").write_text("".join(lines), encoding="cp949")
    options = "--max_seconds 2 --max_text_seconds 2.5"
    result = run_recipe("own/av1", "--db_root", root, "--local_data_opts", options)
    assert result.returncode == 0, result.stdout
    sets = data_sets()
    texts = {u.utt_id: u.text for own in sets.values() for u in own}
    cut = [utt_id for utt_id in texts if utt_id.startswith("bob-whole-")]
    assert len(cut) >= 2 and {texts.pop(utt_id) for utt_id in cut} == {""}
    expected = [*(f"{spk}-my_film.v2" for spk in ("김_할머니", "bob", "eve")), *(f"bob-more_{k}" for k in range(4))]
    assert texts == dict.fromkeys(expected, "좋은 아침")
    assert sorted({u.spk for u in own}.pop() for own in sets.values()) == ["bob", "eve", "김_할머니"]
    assert (tmp_path / "work/data/skipped.tsv").read_text().startswith("bob-broken\t")
    spoken = [u.utt_id for u in sets["eval1"]]
    assert list(read_scp(tmp_path / "work/dump/face/eval1/mel.scp")) == spoken
    assert list(read_scp(tmp_path / "work/dump/raw/eval1/wav.scp")) == [utt_id for utt_id in spoken if utt_id in texts]
    for name in ("tr_no_dev", "dev", "eval1"):
        assert set(read_scp(tmp_path / f"work/dump/raw/{name}/text").values()) == {"좋은 아침"}
