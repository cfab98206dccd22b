import logging

import numpy as np
import pytest

from silvertalk.data import read_data_dir, read_scp
from silvertalk.data.corpora import ljspeech
from silvertalk.data.corpus import SETS
from silvertalk.data.prepare import prepare
from silvertalk.media import write_audio


def line(k):
    return f"LJ001-{k:04d}|In {k} A.D.|In {k} in words A.D."


@pytest.fixture
def root(tmp_path):
    """Forty recordings of 0.1 s, of which one was converted."""
    root = tmp_path / "LJSpeech-1.1"
    write_audio(root / "wavs/LJ001-0000.wav", np.zeros(2205), 22050)
    for k in range(1, 40):
        (root / f"wavs/LJ001-{k:04d}.wav").write_bytes((root / "wavs/LJ001-0000.wav").read_bytes())
    (root / "wavs/LJ001-0005.wav").unlink()
    write_audio(root / "wavs/LJ001-0005.flac", np.zeros(2205), 22050)
    (root / "metadata.csv").write_text("\n".join(map(line, range(40))) + "\n", encoding="utf-8")
    return root


def everything(corpus):
    return {u.utt_id: u for own in corpus.sets.values() for u in own}


def test_fields_ids_and_sets(root):
    corpus = ljspeech.read(root.parent)  # the folder above will do
    found = everything(corpus)
    assert sorted(found) == [f"LJ001-{k:04d}" for k in range(40)] and corpus.shares_speakers
    assert [u.utt_id for u in corpus.sets["dev"]] == ["LJ001-0036", "LJ001-0037"]
    assert [u.utt_id for u in corpus.sets["eval1"]] == ["LJ001-0038", "LJ001-0039"]
    u = found["LJ001-0005"]
    assert (u.spk, u.text, u.wav) == ("LJ", "In 5 in words A.D.", str(root / "wavs/LJ001-0005.flac"))
    assert everything(ljspeech.read(root, text="original"))["LJ001-0005"].text == "In 5 A.D."
    with pytest.raises(ValueError, match="--text takes original or expanded, not 'x'"):
        ljspeech.read(root, text="x")


def test_quotes_are_letters_and_a_missing_field_is_the_one_before(root, caplog):
    lines = ['LJ001-0000|"open|"open said', "LJ001-0001|the next|", "LJ001-0002|third", "LJ001-0003| | said\u00a0so "]
    (root / "metadata.csv").write_bytes("\ufeff".encode() + "\r\n".join(lines).encode())
    with caplog.at_level(logging.WARNING):
        found = everything(ljspeech.read(root))
    assert [found[key].text for key in sorted(found)] == ['"open said', "the next", "third", "said so"]
    assert "2 lines of" in caplog.text and "have no field 3" in caplog.text


def test_another_corpus_of_this_layout(root):
    (root / "metadata.csv").write_text("LJ001-0000|one\nLJ001-0001|two\nLJ001-0002|three\n")
    assert sorted(everything(ljspeech.read(root, spk="anna"))) == [f"anna-LJ001-000{k}" for k in range(3)]


def test_damage_costs_what_is_damaged(root, tmp_path):
    (root / "wavs/LJ001-0003.wav").write_bytes(b"RIFF")
    (root / "wavs/LJ001-0004.wav").unlink()
    lines = [*map(line, range(40)), "LJ001-0006|again|again", "LJ001-0099||", "", "../x|a|b"]
    (root / "metadata.csv").write_text("\n".join(lines), encoding="utf-8")
    prepare(ljspeech, str(tmp_path / "data"), db_root=str(root), nj=2)
    skipped = dict(row.split("\t") for row in (tmp_path / "data/skipped.tsv").read_text().splitlines())
    table = root / "metadata.csv"
    assert set(skipped) == {"LJ001-0003", "LJ001-0004", "LJ001-0099", f"{table}:41", f"{table}:44"}
    assert "LJ001-0004.wav" in skipped["LJ001-0004"] and "no text" in skipped["LJ001-0099"]
    assert sum(len(read_scp(tmp_path / "data" / name / "text")) for name in SETS) == 38


def test_what_is_missing_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no .*metadata.csv: there should be the list .*README.md"):
        ljspeech.read(tmp_path)
    (tmp_path / "metadata.csv").touch()
    with pytest.raises(FileNotFoundError, match=r"no .*wavs: there should be the folder of recordings"):
        ljspeech.read(tmp_path)


def test_real_recordings(media, tmp_path):
    prepare(ljspeech, str(tmp_path), db_root=str(media / "speech/en_ljspeech"), nj=2)
    assert [len(read_data_dir(tmp_path / name)) for name in SETS] == [62, 4, 4]
