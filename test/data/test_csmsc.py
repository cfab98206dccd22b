import numpy as np
import pytest

from silvertalk.data import read_data_dir
from silvertalk.data.corpora import csmsc
from silvertalk.data.corpus import SETS
from silvertalk.data.prepare import prepare
from silvertalk.media import write_audio

LINES = "{k:06d}\t卡尔普#2陪外孙#1玩滑梯#4。\n\tka2 er2 pu3 pei2 wai4 sun1 wan2 hua2 ti1\n"
INTERVALS = """File type = "ooTextFile"
Object class = "TextGrid"

0.000000
1.000000
<exists>
1
"IntervalTier"
"CELL"
0.000000
1.000000
4
0.000000
0.210000
"sil"
0.210000
0.350000
"k"
0.350000
0.770000
"a2"
0.770000
1.000000
"sil"
"""


@pytest.fixture
def root(tmp_path):
    """Forty recordings of 1 s with labels, as unpacked."""
    root = tmp_path / "BZNSYP"
    write_audio(root / "Wave/000001.wav", np.zeros(8000), 8000)
    (root / "PhoneLabeling").mkdir()
    for k in range(1, 41):
        if k > 1:
            (root / f"Wave/{k:06d}.wav").write_bytes((root / "Wave/000001.wav").read_bytes())
        (root / f"PhoneLabeling/{k:06d}.interval").write_text(INTERVALS)
    (root / "ProsodyLabeling").mkdir()
    put_lines(root, "".join(LINES.format(k=k) for k in range(1, 41)))
    return root


def put_lines(root, text):
    (root / "ProsodyLabeling/000001-010000.txt").write_text(text, encoding="utf-8-sig", newline="\r\n")


def everything(corpus):
    return {u.utt_id: u for own in corpus.sets.values() for u in own}


def test_text_times_and_sets(root):
    corpus = csmsc.read(root.parent)
    found = everything(corpus)
    assert sorted(found) == [f"csmsc_{k:06d}" for k in range(1, 41)] and not corpus.skipped
    u = found["csmsc_000007"]
    assert (u.spk, u.text, u.wav) == ("csmsc", "卡尔普陪外孙玩滑梯。", str(root / "Wave/000007.wav"))
    assert (u.start, u.end) == (0.21, 0.77)
    assert [u.utt_id for u in corpus.sets["eval1"]] == ["csmsc_000039", "csmsc_000040"]
    assert [len(corpus.sets[name]) for name in SETS] == [36, 2, 2]
    assert everything(csmsc.read(root, cut=False))["csmsc_000007"].end is None


def test_labels_may_be_missing(root):
    (root / "PhoneLabeling/000002.interval").unlink()
    (root / "PhoneLabeling/000003.interval").write_text("no labels")
    found = everything(csmsc.read(root))
    assert [(u.start, u.end) for u in (found[f"csmsc_00000{k}"] for k in (1, 2, 3))] == [(0.21, 0.77), (0, 1), (0, 1)]
    for path in (root / "PhoneLabeling").iterdir():
        path.unlink()
    assert {u.end for u in everything(csmsc.read(root)).values()} == {None}


def test_damage_costs_what_is_damaged(root, tmp_path):
    (root / "Wave/000003.wav").write_bytes(b"RIFF")
    (root / "Wave/000004.wav").unlink()
    odd = LINES.format(k=5) + "000041\n" + "abc\t词\n"
    put_lines(root, "".join(LINES.format(k=k) for k in range(1, 41)) + odd)
    prepare(csmsc, str(tmp_path / "data"), db_root=str(root), nj=2)
    skipped = dict(row.split("\t") for row in (tmp_path / "data/skipped.tsv").read_text().splitlines())
    table = root / "ProsodyLabeling/000001-010000.txt"
    assert set(skipped) == {"csmsc_000003", "csmsc_000004", "csmsc_000041", f"{table}:81", f"{table}:84"}
    assert sum(len(read_data_dir(tmp_path / "data" / name)) for name in SETS) == 38


def test_what_is_missing_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no .*ProsodyLabeling.*: there should be the sentences; .*README.md"):
        csmsc.read(tmp_path)
