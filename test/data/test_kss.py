import unicodedata

import numpy as np
import pytest

from silvertalk.data import read_scp
from silvertalk.data.corpora import kss
from silvertalk.data.corpus import SETS
from silvertalk.data.prepare import prepare
from silvertalk.media import write_audio

LINE = "1/1_{k:04d}.wav|저는 {k}분 자요.|저는 {word} 분 자요.|{jamo}|1.1|I sleep."


def line(k, word="이십"):
    return LINE.format(k=k, word=word, jamo=unicodedata.normalize("NFD", "저는"))


@pytest.fixture
def root(tmp_path):
    """Twenty recordings of 0.1 s."""
    root = tmp_path / "kss"
    write_audio(root / "1/1_0000.wav", np.zeros(4410), 44100)
    for k in range(1, 20):
        (root / f"1/1_{k:04d}.wav").write_bytes((root / "1/1_0000.wav").read_bytes())
    (root / "transcript.v.1.4.txt").write_text("\n".join(map(line, range(20))) + "\n", encoding="utf-8")
    return root


def everything(corpus):
    return {u.utt_id: u for own in corpus.sets.values() for u in own}


def test_field_and_id(root):
    corpus = kss.read(root, dev_share=0.1, eval_share=0.1)
    found = everything(corpus)
    assert sorted(found) == [f"kss_1_{k:04d}" for k in range(20)] and corpus.shares_speakers
    assert {name: len(corpus.sets[name]) for name in SETS} == {"tr_no_dev": 16, "dev": 2, "eval1": 2}
    u = found["kss_1_0007"]
    assert (u.spk, u.text, u.wav) == ("kss", "저는 이십 분 자요.", str(root / "1/1_0007.wav"))
    assert everything(kss.read(root, text="original"))["kss_1_0007"].text == "저는 7분 자요."
    with pytest.raises(ValueError, match="--text takes original or expanded, not 'jamo'"):
        kss.read(root, text="jamo")


def test_newest_transcript_counts_and_older_ones_do(root):
    (root / "transcript.v.1.3.txt").write_text(line(0, word="삼십"), encoding="utf-8-sig")
    assert len(everything(kss.read(root))) == 20
    (root / "transcript.v.1.10.txt").write_text("\n".join(line(k, word="사십") for k in range(2)), encoding="utf-8")
    assert everything(kss.read(root))["kss_1_0001"].text == "저는 사십 분 자요."
    for name in ("1.10", "1.4"):
        (root / f"transcript.v.{name}.txt").unlink()
    assert {u.text for u in everything(kss.read(root)).values()} == {"저는 삼십 분 자요."}


def test_syllables_are_put_together_and_quotes_kept(root):
    text = unicodedata.normalize("NFD", '그는 "괜찮은\u00a0척"  했다.')
    (root / "transcript.v.1.4.txt").write_bytes(f'1/1_0000.wav|a|{text}|b|1.0|"c\r\n{line(1)}\r\n'.encode())
    found = everything(kss.read(root))
    assert found["kss_1_0000"].text == '그는 "괜찮은 척" 했다.' and len(found) == 2


def test_damage_costs_what_is_damaged(root, tmp_path):
    (root / "1/1_0003.wav").write_bytes(b"RIFF")
    (root / "1/1_0004.wav").unlink()
    lines = [*map(line, range(20)), "1/1_0001.wav|again|again", "1/1_0099.wav|one field", "", "../x.wav|a|b", "README"]
    (root / "transcript.v.1.4.txt").write_text("\n".join(lines), encoding="utf-8")
    prepare(kss, str(tmp_path / "data"), db_root=str(root), nj=2, text="expanded", dev_share=0.1, eval_share=0.1)
    skipped = dict(row.split("\t") for row in (tmp_path / "data/skipped.tsv").read_text().splitlines())
    name = root / "transcript.v.1.4.txt"
    assert set(skipped) == {"kss_1_0003", "kss_1_0004", "kss_1_0099", f"{name}:21", f"{name}:24", f"{name}:25"}
    assert "has no text in field 3" in skipped["kss_1_0099"] and "1_0004.wav" in skipped["kss_1_0004"]
    assert "earlier line" in skipped[f"{name}:21"]
    assert sum(len(read_scp(tmp_path / "data" / each / "text")) for each in SETS) == 18


def test_what_is_missing_is_named(root, tmp_path):
    with pytest.raises(
        FileNotFoundError, match=r"no .*transcript.v.\*.txt: there should be the list of sentences; .*README.md"
    ):
        kss.read(tmp_path)
    with open(root / "transcript.v.1.4.txt", "a", encoding="utf-8") as out:
        out.write("3/3_0000.wav|a|b\n")
    with pytest.raises(FileNotFoundError, match=r"no .*/kss/3/\*.wav: there should be the recordings"):
        kss.read(root)
