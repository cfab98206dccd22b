"""What the readers of corpora share."""

import sys

import pytest

from silvertalk.bin import corpus_prepare
from silvertalk.data import Utterance, read_scp
from silvertalk.data.corpus import (
    Corpus,
    drop_unreadable,
    hold_out_last,
    hold_out_speakers,
    hold_out_utterances,
    make_utt_id,
    read_text,
    require,
)
from silvertalk.data.prepare import prepare


def spoken(**counts):
    return [Utterance(f"{spk}-{k:04d}", spk, "a", "/a.wav") for spk, n in counts.items() for k in range(n)]


def speakers(sets):
    return {name: {u.spk for u in own} for name, own in sets.items()}


def test_first_missing_path_is_named(tmp_path):
    wanted = {"main/*/*.mp4": "clips", "train.txt": "a list"}
    with pytest.raises(ValueError, match="--db_root .* ask the BBC"):
        require("", wanted, "ask the BBC")
    with pytest.raises(FileNotFoundError, match="no folder .*gone"):
        require(tmp_path / "gone", wanted, "ask the BBC")
    with pytest.raises(FileNotFoundError, match=r"main/\*/\*.mp4: there should be clips; ask the BBC"):
        require(tmp_path, wanted, "ask the BBC")
    (tmp_path / "main/1").mkdir(parents=True)
    (tmp_path / "main/1/a.mp4").touch()
    with pytest.raises(FileNotFoundError, match="train.txt: there should be a list"):
        require(tmp_path, wanted, "ask the BBC")
    (tmp_path / "train.txt").touch()
    assert require(tmp_path, wanted, "") == tmp_path


def test_ids_have_no_spaces_and_sort_by_speaker():
    assert make_utt_id("s1", "a b/c", 7) == "s1-a_b_c-7"
    ids = sorted([make_utt_id("s1", "z"), make_utt_id("s10", "a"), make_utt_id("s1_1", "a")])
    assert [i.split("-")[0] for i in ids] == ["s1", "s10", "s1_1"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp949"])
def test_korean_in_either_encoding(tmp_path, encoding):
    (tmp_path / "a.txt").write_text("똠방각하", encoding=encoding)
    assert read_text(tmp_path / "a.txt") == "똠방각하"
    (tmp_path / "a.txt").write_bytes(b"\xff\xff\xff")
    with pytest.raises(ValueError, match="a.txt: is not text in utf-8-sig or cp949"):
        read_text(tmp_path / "a.txt")


def test_held_out_speakers_are_nobody_elses():
    utterances = spoken(**{f"s{k}": 10 for k in range(40)})
    sets = hold_out_speakers(utterances, {"dev": 0.05, "eval1": 0.1})
    assert {name: len(own) for name, own in sets.items()} == {"tr_no_dev": 340, "dev": 20, "eval1": 40}
    found = speakers(sets)
    assert not found["dev"] & found["eval1"] and not found["tr_no_dev"] & (found["dev"] | found["eval1"])
    assert speakers(hold_out_speakers(utterances[::-1], {"dev": 0.05, "eval1": 0.1})) == found


def test_few_speakers_still_leave_one_for_each_set():
    sets = hold_out_speakers(spoken(a=1, b=500, c=3), {"dev": 0.5, "eval1": 0.5})
    assert sorted(len(spk) for spk in speakers(sets).values()) == [1, 1, 1]
    with pytest.raises(ValueError, match=r"2 speakers \(a b\)"):
        hold_out_speakers(spoken(a=5, b=5), {"dev": 0.1, "eval1": 0.1})


def test_held_out_utterances_are_of_every_speaker():
    utterances = spoken(s1=160, s2=9, s3=40)
    sets = hold_out_utterances(utterances)
    count = {name: [sum(u.spk == spk for u in own) for spk in ("s1", "s2", "s3")] for name, own in sets.items()}
    assert count == {"tr_no_dev": [140, 9, 35], "dev": [8, 0, 2], "eval1": [12, 0, 3]}
    assert len({u.utt_id for own in sets.values() for u in own}) == len(utterances)
    for name, own in hold_out_utterances(utterances[::-1]).items():
        assert {u.utt_id for u in own} == {u.utt_id for u in sets[name]}


def test_unreadable_files_cost_their_utterances(tmp_path, grid_clip):
    good = str(grid_clip(tmp_path / "a.mpg", num_frames=5))
    (tmp_path / "b.mpg").write_bytes(b"no video")
    utterances = [
        Utterance("a-1", "a", wav=good, video=good),
        Utterance("a-2", "a", wav=good, video=str(tmp_path / "b.mpg")),
        Utterance("a-3", "a", wav=str(tmp_path / "c.wav"), video=good),
        Utterance("a-4", "a", wav=good),
    ]
    skipped = {}
    assert [u.utt_id for u in drop_unreadable(utterances, 2, skipped)] == ["a-1", "a-4"]
    assert "b.mpg" in skipped["a-2"] and "no file" in skipped["a-3"]


class Reader:
    """Stands for a module."""

    __name__ = "silvertalk.data.corpora.test"

    def __init__(self, **fields):
        self.corpus = Corpus(**fields)

    def read(self, db_root: str) -> Corpus:
        return self.corpus


def three(**changes):
    sets = {"tr_no_dev": spoken(a=2), "dev": spoken(b=1), "eval1": spoken(c=1)}
    return sets | changes


def test_worker_writes_sets_and_lists(tmp_path):
    tables = {"odd.tsv": {"x": "why"}}
    prepare(Reader(sets=three(), skipped={"d-1": "broken"}, tables=tables), str(tmp_path), db_root="/")
    assert list(read_scp(tmp_path / "tr_no_dev/text")) == ["a-0000", "a-0001"]
    assert (tmp_path / "skipped.tsv").read_text() == "d-1\tbroken\n"
    assert (tmp_path / "odd.tsv").read_text() == "x\twhy\n"


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"sets": three(dev=[])}, "no utterance is left for dev"),
        ({"sets": three(dev=spoken(c=1))}, "speaker 'c' is in dev and in eval1"),
        ({"sets": three(), "skipped": {f"d-{k}": "broken" for k in range(5)}}, "5 of 9 .*first: 'd-0': broken"),
    ],
)
def test_worker_refuses(tmp_path, fields, message):
    with pytest.raises((ValueError, RuntimeError), match=message):
        prepare(Reader(**fields), str(tmp_path), db_root="/")
    assert not (tmp_path / "tr_no_dev").exists()


def test_one_speaker_may_be_in_all_sets(tmp_path):
    sets = hold_out_utterances(spoken(a=30), 0.1, 0.1)
    prepare(Reader(sets=sets, shares_speakers=True), str(tmp_path), db_root="/")
    assert len(read_scp(tmp_path / "dev/utt2spk")) == 3


def test_what_cannot_be_fetched_is_told(tmp_path):
    with pytest.raises(ValueError, match=r"egs/test/\*/README.md"):
        prepare(Reader(sets=three()), str(tmp_path), download=True, db_root="")


def test_command_line(capsys, monkeypatch):
    with pytest.raises(SystemExit, match="no reader of 'nothing'; there are: .*grid"):
        corpus_prepare.main(["nothing"])
    with pytest.raises(SystemExit):
        corpus_prepare.main(["grid", "--help"])
    text = capsys.readouterr().out
    assert all(f"--{name}" in text for name in ("db_root", "split", "record_url", "download", "out", "nj"))
    monkeypatch.setattr(sys, "argv", ["corpus_prepare"])
    with pytest.raises(SystemExit, match="corpus_prepare CORPUS"):
        corpus_prepare.main()


@pytest.mark.parametrize(("number", "held_out"), [(13100, (250, 250)), (70, (4, 4)), (3, (1, 1)), (1, (0, 1))])
def test_the_last_are_held_out_and_fewer_of_a_small_copy(number, held_out):
    utterances = spoken(a=number)
    sets = hold_out_last(reversed(utterances), 250, 250)
    assert (len(sets["dev"]), len(sets["eval1"])) == held_out
    assert [*sets["tr_no_dev"], *sets["dev"], *sets["eval1"]] == sorted(utterances, key=lambda u: u.utt_id)
