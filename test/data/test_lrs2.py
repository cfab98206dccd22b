"""LRS2's reader, and what it shares with LRS3's."""

import re

import pytest

from silvertalk.data import lrs_text, read_data_dir
from silvertalk.data.corpora import lrs2
from silvertalk.data.lrs_text import Clip, Cutting, clip_utterances, cut_at_pauses, keep_apart, read_clip_text
from silvertalk.data.prepare import prepare
from silvertalk.media import MediaInfo

TRAIN, VAL, TEST = "5535415699068794046", "5535423430009926848", "6330311066473698535"
WORDS = [(0.0, 6.0, "ONE"), (6.2, 9.0, "TWO"), (9.5, 12.0, "THREE"), (14.0, 18.0, "FOUR"), (19.0, 19.9, "FIVE")]


def write_text_file(path, text="SO WE WENT", words=None, end="\n"):
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [f"Text:  {text}", "Conf:  4"]
    if words is not None:
        lines += ["", "WORD START END ASDSCORE", *(f"{word} {start} {stop} 3.2" for start, stop, word in words)]
    path.write_text(end.join(lines) + end, newline="")
    return path


@pytest.fixture
def lengths(monkeypatch):
    """What videos are, instead of reading them: a length in seconds by the beginning of the path's last parts."""
    known = {}

    def probe(path):
        return next(
            (value for part, value in known.items() if part in str(path)), MediaInfo(2.0, 25.0, 160, 160, True, False)
        )

    monkeypatch.setattr(lrs_text, "probe", probe)
    return known


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_text_file(tmp_path, end):
    path = write_text_file(tmp_path / "a.txt", "AND {NS} WE  WENT", [(0.04, 0.21, "AND"), (0.3, 0.4, "{NS}")], end)
    said = read_clip_text(path)
    assert said.text == "AND WE WENT"
    assert said.words == [(0.04, 0.21, "AND")]
    assert read_clip_text(write_text_file(tmp_path / "b.txt")).words == []
    (tmp_path / "c.txt").write_text("\ufeffText:  HERE\n", encoding="utf-8")
    assert read_clip_text(tmp_path / "c.txt").text == "HERE"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "a.txt: has no line 'Text: ...'"),
        ("Text: A\nWORD START END ASDSCORE\nA 0.1\n", "a.txt:3: 'A 0.1' is not 'word start end score'"),
        ("Text: A\nWORD START END ASDSCORE\nA 0.4 0.1 2\n", "a.txt:3: 'A' is said from 0.4 to 0.1 s"),
    ],
)
def test_damaged_text_file(tmp_path, content, message):
    (tmp_path / "a.txt").write_text(content)
    with pytest.raises(ValueError, match=re.escape(message)):
        read_clip_text(tmp_path / "a.txt")


@pytest.mark.parametrize(
    ("cutting", "parts"),
    [
        (Cutting(15.0, 0.4), ["ONE TWO THREE", "FOUR FIVE"]),
        (Cutting(5.0, 0.4), ["ONE TWO", "THREE", "FOUR", "FIVE"]),  # nobody pauses between the first two
        (Cutting(15.0, 0.6), ["ONE TWO THREE", "FOUR FIVE"]),
        (Cutting(5.0, 1.0), ["ONE TWO THREE", "FOUR FIVE"]),  # a pause of 1.0 s is not longer than 1.0 s
        (Cutting(15.0, 5.0), ["ONE TWO THREE FOUR FIVE"]),
        (Cutting(19.9, 0.4), ["ONE TWO THREE FOUR", "FIVE"]),  # as long as the limit is too long
    ],
)
def test_talks_are_cut_in_pauses(cutting, parts):
    cut = cut_at_pauses(WORDS, cutting)
    assert [" ".join(word for _, _, word in part) for part in cut] == parts


def test_cutting_refuses():
    with pytest.raises(ValueError, match="--max_seconds 0"):
        Cutting(0)


def test_long_talks_become_segments(tmp_path, lengths):
    text = write_text_file(tmp_path / "1.txt", "ONE TWO THREE FOUR FIVE", [*WORDS, (25.0, 26.0, "LATE")])
    clip = Clip("p", "pretrain-1", tmp_path / "1.mp4", text, is_talk=True)
    lengths["1.mp4"] = MediaInfo(20.0, 25.0, 160, 160, True, False)
    first, second = clip_utterances(clip, Cutting())
    assert (first.utt_id, first.text, first.start, first.end) == ("p-pretrain-1-001", "ONE TWO THREE", 0.0, 12.2)
    assert (second.utt_id, second.start, second.end) == ("p-pretrain-1-002", 13.8, 20.0)
    assert second.text == "FOUR FIVE"  # what is said after the end is not
    lengths["1.mp4"] = MediaInfo(14.9, 25.0, 160, 160, True, False)
    (whole,) = clip_utterances(clip, Cutting())
    assert (whole.utt_id, whole.text, whole.end) == ("p-pretrain-1", "ONE TWO THREE FOUR FIVE", 14.9)


def test_a_long_sentence_is_never_cut(tmp_path, lengths):
    clip = Clip("p", "1", tmp_path / "1.mp4", write_text_file(tmp_path / "1.txt", words=WORDS))
    lengths["1.mp4"] = MediaInfo(20.0, 25.0, 160, 160, True, False)
    assert [u.end for u in clip_utterances(clip, Cutting())] == [20.0]
    assert [u.end for u in clip_utterances(clip)] == [None]


@pytest.mark.parametrize(
    ("info", "text", "message"),
    [
        (MediaInfo(2.0, 25.0, 160, 160, False, False), "A", "1.mp4: has no sound"),
        (MediaInfo(2.0, 0.0, 0, 0, True, False), "A", "1.mp4: has no picture"),
        (MediaInfo(0.0, 25.0, 160, 160, True, False), "A", "1.mp4: does not say how long it is"),
        (MediaInfo(20.0, 25.0, 160, 160, True, False), "A", "lasts 20.0 s, and its text file has no word times"),
        (MediaInfo(2.0, 25.0, 160, 160, True, False), "{NS}", "1.txt: nothing is said"),
    ],
)
def test_unusable_clips(tmp_path, lengths, info, text, message):
    lengths["1.mp4"] = info
    clip = Clip("p", "1", tmp_path / "1.mp4", write_text_file(tmp_path / "1.txt", text), is_talk=True)
    with pytest.raises(ValueError, match=message):
        clip_utterances(clip, Cutting())


def test_sets_share_no_speaker(tmp_path):
    def clips(*ids):
        return [Clip(spk, name, tmp_path, tmp_path) for spk, name in ids]

    sets = {
        "tr_no_dev": clips("a1", "a2", "b1", "c1", "a1"),
        "dev": clips("b2", "c2"),
        "eval1": clips("c3"),
    }
    out = keep_apart(sets)
    assert {name: [clip.utt_id for clip in own] for name, own in sets.items()} == {
        "tr_no_dev": ["a-1", "a-2"],
        "dev": ["b-2"],
        "eval1": ["c-3"],
    }
    assert out["c-1"] == out["c-2"] == "'c' is in eval1" and out["b-1"] == "'b' is in dev"
    assert "twice" in out["a-1"]


def corpus(root, inside="mvlrs_v1", lists=""):
    """Write the texts and lists of a small corpus, and the names of its videos."""
    clips = {("main", TRAIN): "12", ("main", VAL): "1", ("main", TEST): "12"}
    for (part, spk), names in (clips | {("pretrain", TRAIN): "12", ("pretrain", TEST): "1"}).items():
        for name in names:
            words = [(0.1, 1.0, "ON"), (18.0, 19.0, "AND")] if part == "pretrain" else None
            text = write_text_file(root / inside / part / spk / f"0000{name}.txt", f"{part} {name}".upper(), words)
            text.with_suffix(".mp4").touch()
    (root / lists).mkdir(exist_ok=True)
    (root / lists / "train.txt").write_text(f"{TRAIN}/00001\n{TRAIN}/00002\n")
    (root / lists / "val.txt").write_text(f"{VAL}/00001\n")
    (root / lists / "test.txt").write_text(f"{TEST}/00001 NF\r\n{TEST}/00002 MV\r\n\n")
    (root / lists / "pretrain.txt").write_text(f"{TRAIN}/00001 NF\n{TRAIN}/00002\n{TEST}/00001\n")
    return root


def ids(corpus):
    return {name: [u.utt_id for u in own] for name, own in corpus.sets.items()}


@pytest.mark.parametrize(("inside", "lists"), [("mvlrs_v1", ""), ("mvlrs_v1", "mvlrs_v1"), ("", "")])
def test_layouts(tmp_path, lengths, inside, lists):
    found = lrs2.read(str(corpus(tmp_path, inside, lists)))
    assert ids(found) == {
        "tr_no_dev": [f"{TRAIN}-00001", f"{TRAIN}-00002"],
        "dev": [f"{VAL}-00001"],
        "eval1": [f"{TEST}-00001", f"{TEST}-00002"],
    }
    first = found.sets["eval1"][0]
    assert (first.text, first.face, first.end) == ("MAIN 1", (0.5, 0.5), None)
    assert first.video == first.wav == str(tmp_path / inside / "main" / TEST / "00001.mp4")
    assert found.tables["view.tsv"] == {f"{TEST}-00001": "NF", f"{TEST}-00002": "MV"}
    assert not found.skipped and not found.shares_speakers


def test_marks_of_test_clips(tmp_path, lengths):
    root = str(corpus(tmp_path))
    assert ids(lrs2.read(root, view="MV"))["eval1"] == [f"{TEST}-00002"]
    with pytest.raises(ValueError, match="no clip is marked 'XX'; give --view MV or NF"):
        lrs2.read(root, view="XX")
    assert lrs2.read(root, lower=True).sets["dev"][0].text == "main 1"


def test_pretrain_is_for_training_only(tmp_path, lengths):
    lengths[f"pretrain/{TRAIN}/00002"] = MediaInfo(20.0, 25.0, 160, 160, True, False)
    root = corpus(tmp_path / "lrs2")
    prepare(lrs2, str(tmp_path / "data"), db_root=str(root), pretrain=True)
    train = {u.utt_id: u for u in read_data_dir(tmp_path / "data/tr_no_dev")}
    whole, first, second = (f"{TRAIN}-pretrain-{name}" for name in ("00001", "00002-001", "00002-002"))
    assert list(train) == [f"{TRAIN}-00001", f"{TRAIN}-00002", whole, first, second]
    assert [train[name].text for name in (whole, first, second)] == ["PRETRAIN 1", "ON", "AND"]
    assert train[whole].end == train[f"{TRAIN}-00001"].end == 2.0 and train[second].start == 17.8
    assert (tmp_path / "data/left_out.tsv").read_text() == f"{TEST}-pretrain-00001\t'{TEST}' is in eval1\n"
    assert not (tmp_path / "data/eval1/segments").exists()


def test_damage_costs_only_its_clips(tmp_path):
    """The videos are empty files here, and the real probe says so."""
    root = corpus(tmp_path)
    with pytest.raises(FileNotFoundError, match=r"train.txt: none of its 2 clips .*00001.mp4: .*unpack"):
        lrs2.read(str(root))


def test_skipped_clips_are_named(tmp_path, lengths):
    root = corpus(tmp_path)
    (root / f"mvlrs_v1/main/{TRAIN}/00001.txt").write_bytes(b"\xff\xfe\x00")
    (root / f"mvlrs_v1/main/{TEST}/00002.txt").unlink()
    for nj in (1, 3):
        found = lrs2.read(str(root), nj)
        assert set(found.skipped) == {f"{TRAIN}-00001", f"{TEST}-00002"}
        assert f"{TEST}/00002.txt" in found.skipped[f"{TEST}-00002"]
        assert ids(found)["tr_no_dev"] == [f"{TRAIN}-00002"]


def test_what_is_missing_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"mvlrs_v1/main/\*/\*.mp4: there should be a folder"):
        lrs2.read(str(tmp_path))
    root = corpus(tmp_path / "lrs2")
    for file in (root / "mvlrs_v1/pretrain").rglob("*.mp4"):
        file.unlink()
    with pytest.raises(FileNotFoundError, match=r"mvlrs_v1/pretrain/\*/\*.mp4"):
        lrs2.read(str(root), pretrain=True)
    for line in (f"{VAL} 00001", f"main/{VAL}/00001", f"{VAL}/00001 NF MV"):
        (root / "val.txt").write_text(f"{line}\n")
        with pytest.raises(ValueError, match=f"val.txt:1: '{line}' is not like"):
            lrs2.read(str(root))
    (root / "val.txt").unlink()
    with pytest.raises(FileNotFoundError, match="lrs2/val.txt: there should be a list"):
        lrs2.read(str(root))
