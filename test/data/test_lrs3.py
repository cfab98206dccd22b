"""LRS3's reader; the text files' parser is tested with LRS2's."""

import pytest

from silvertalk.data import lrs_text, validate_data_dir
from silvertalk.data.corpora import lrs3
from silvertalk.data.prepare import prepare
from silvertalk.media import MediaInfo

TALKS = ("00j9bKdiOjk", "-1-_bKdiOjk", "_0Bhk65bYSI", "0akiEFwtkyA")
TEST = "0Fi83BHQsMA"
FRAMES = "FRAME \tX \tY \tW \tH \n001143 \t0.425 \t0.195 \t0.185 \t0.329 \n001144 \t0.425 \t0.195 \t0.185 \t0.329 \n"
WORDS = "WORD START END ASDSCORE\nWORD 0.1 0.9 3\nFRAME 18.0 19.0 4.5\n"


@pytest.fixture(autouse=True)
def long_pretrain(monkeypatch):
    """Videos are not read: those of pretrain last 20 s, others 2 s."""
    monkeypatch.setattr(
        lrs_text, "probe", lambda path: MediaInfo(20.0 if "pretrain" in str(path) else 2.0, 25.0, 224, 224, True, False)
    )


def corpus(root, videos="lrs3", texts="lrs3", sections=(FRAMES, WORDS)):
    parts = [("trainval", talk, k) for talk in TALKS for k in (1, 2)]
    parts += [("test", TEST, 1)] + [("pretrain", talk, 1) for talk in (*TALKS, TEST)]
    for part, talk, number in parts:
        for folder, suffix in ((videos, "mp4"), (texts, "txt")):
            path = root / folder / part / talk / f"{number:05d}.{suffix}"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("\n".join([f"Text:  {part.upper()} {number}\nConf:  5\nRef:  {talk}\n", *sections]))
    return root


def ids(corpus):
    return {name: [u.utt_id for u in own] for name, own in corpus.sets.items()}


@pytest.mark.parametrize("sections", [(), (FRAMES,), (WORDS,), (FRAMES, WORDS)])
def test_parts_of_text_files_are_found_by_name(tmp_path, sections):
    corpus(tmp_path, sections=sections)
    said = lrs_text.read_clip_text(tmp_path / f"lrs3/test/{TEST}/00001.txt")
    assert said.text == "TEST 1"
    # A word may read as a heading does.
    assert said.words == ([(0.1, 0.9, "WORD"), (18.0, 19.0, "FRAME")] if WORDS in sections else [])


@pytest.mark.parametrize(
    ("videos", "texts"), [("lrs3", "lrs3"), ("", ""), ("lrs3", "lrs3_v0.4"), ("", "lrs3_v0.4"), ("lrs3", "elsewhere")]
)
def test_layouts(tmp_path, videos, texts):
    corpus(tmp_path, videos, texts)
    text_root = str(tmp_path / texts) if texts == "elsewhere" else ""
    found = lrs3.read(str(tmp_path), text_root=text_root)
    (clip,) = found.sets["eval1"]
    assert (clip.utt_id, clip.text, clip.spk) == (f"{TEST}-00001", "TEST 1", TEST)
    assert clip.video == clip.wav == str(tmp_path / videos / f"test/{TEST}/00001.mp4") and clip.face == (0.5, 0.5)
    assert len(found.sets["dev"]) == 2 and len(found.sets["tr_no_dev"]) == 6
    assert len({u.spk for u in found.sets["dev"]}) == 1


def test_ids_with_dashes_sort_by_speaker(tmp_path):
    prepare(lrs3, str(tmp_path / "data"), db_root=str(corpus(tmp_path / "db")), dev_share=0.2)
    validate_data_dir(tmp_path / "data/tr_no_dev")
    speakers = (tmp_path / "data/tr_no_dev/spk2utt").read_text() + (tmp_path / "data/dev/spk2utt").read_text()
    assert all(f"{talk} {talk}-00001 {talk}-00002\n" in speakers for talk in TALKS)


def test_pretrain_is_for_training_only(tmp_path):
    plain, full = (lrs3.read(str(corpus(tmp_path)), pretrain=pretrain) for pretrain in (False, True))
    held_out = {u.spk for u in plain.sets["dev"]} | {TEST}
    assert ids(plain)["dev"] == ids(full)["dev"]
    added = set(ids(full)["tr_no_dev"]) - set(ids(plain)["tr_no_dev"])
    assert added == {f"{talk}-pretrain-00001-00{k}" for talk in TALKS if talk not in held_out for k in (1, 2)}
    assert set(full.tables["left_out.tsv"]) == {f"{talk}-pretrain-00001" for talk in held_out}


def test_talk_without_word_times_is_left_out(tmp_path):
    found = lrs3.read(str(corpus(tmp_path, sections=(FRAMES,))), pretrain=True)
    assert len(found.skipped) == 3 and all("no word times" in reason for reason in found.skipped.values())


def test_damage_moves_nobody_to_another_set(tmp_path):
    root = corpus(tmp_path)
    before = ids(lrs3.read(str(root)))
    gone, odd = f"{before['dev'][0][:11]}/00001", f"{before['tr_no_dev'][0][:11]}/00001"
    (root / f"lrs3/trainval/{gone}.txt").unlink()
    (root / f"lrs3/trainval/{odd}.txt").write_text("Conf: 3\n")
    (root / "lrs3/trainval/short").mkdir()
    (root / "lrs3/trainval/short/00001.mp4").touch()
    (root / f"lrs3/trainval/{gone[:11]}/._00002.mp4").touch()
    found = lrs3.read(str(root), nj=3)
    lost = {part.replace("/", "-") for part in (gone, odd)}
    assert set(found.skipped) == {*lost, "trainval/short"}
    assert ids(found) == {name: [u for u in own if u not in lost] for name, own in before.items()}


def test_clip_without_video_is_skipped(tmp_path, monkeypatch):
    monkeypatch.undo()
    with pytest.raises(FileNotFoundError, match=r"none of its \d clips can be used \(.*is not a readable video"):
        lrs3.read(str(corpus(tmp_path)))


def test_what_is_missing_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"trainval/\*/\*.mp4: there should be the videos"):
        lrs3.read(str(tmp_path))
    root = corpus(tmp_path)
    with pytest.raises(FileNotFoundError, match=r"trainval/\*/\*.txt: .*--text_root"):
        lrs3.read(str(root), text_root=str(root / "lrs3/test"))
    for path in (root / "lrs3").rglob("*.mp4"):
        path.unlink()
    with pytest.raises(FileNotFoundError, match=r"trainval/\*/\*.mp4"):
        lrs3.read(str(root / "lrs3"))
