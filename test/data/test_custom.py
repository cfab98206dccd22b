"""A folder of one's own recordings."""

import logging
import unicodedata

import numpy as np
import pytest

from silvertalk.data import Utterance, read_data_dir
from silvertalk.data.corpora import custom
from silvertalk.data.corpus import SETS
from silvertalk.data.prepare import prepare
from silvertalk.media import write_audio

HUM = 0.1 * np.sin(np.arange(1600))


def record(root, *names, wav=HUM):
    for name in names:
        write_audio(root / name, wav, 16000)


def put_table(root, *lines, start="", end="\n"):
    root.mkdir(exist_ok=True)
    (root / "transcripts.txt").write_bytes((start + end.join(lines) + end).encode())


@pytest.fixture
def root(tmp_path):
    """Ten recordings of 0.1 s, named as the list names them."""
    root = tmp_path / "anna k"
    record(root, *(f"{k:05d}.wav" for k in range(10)))
    put_table(root, *(f"{k:05d}.wav|문장 {k}" for k in range(10)))
    return root


def everything(corpus):
    return {u.utt_id: u for own in corpus.sets.values() for u in own}


def test_ids_texts_and_sets(root):
    corpus = custom.read(root)
    assert not corpus.skipped and not corpus.tables["unused_recordings.tsv"]
    ids = {name: [u.utt_id for u in own] for name, own in corpus.sets.items()}
    assert ids["eval1"] == ["anna_k-00000", "anna_k-00009"] and ids["dev"] == ["anna_k-00001", "anna_k-00008"]
    assert len(ids["tr_no_dev"]) == 6
    u = everything(corpus)["anna_k-00004"]
    assert (u.spk, u.text, u.wav) == ("anna_k", "문장 4", str(root / "00004.wav"))


def test_the_speaker_has_a_name(root):
    (root / "spk_id").write_text("JHS\n")
    assert "JHS-00000" in everything(custom.read(root))
    assert "bob-00000" in everything(custom.read(root, spk="bob"))


@pytest.mark.parametrize("written", ["one.flac", "one", "wavs/one.flac", "wavs/one", "wavs\\one.flac"])
def test_ways_to_name_a_recording(root, written):
    record(root, "wavs/one.flac")
    put_table(root, *(f"{k:05d}|문장 {k}" for k in range(10)), f"{written}|here")
    assert everything(custom.read(root))["anna_k-one"].wav == str(root / "wavs/one.flac")


def test_windows_and_mac_files(root):
    name = "첫 번째.WAV"
    record(root, unicodedata.normalize("NFD", name).replace("WAV", "wav"))
    (root / unicodedata.normalize("NFD", name).replace("WAV", "wav")).rename(root / unicodedata.normalize("NFD", name))
    lines = [*(f"{k:05d}.wav|문장 {k}" for k in range(10)), f"{name}| 안녕\u00a0 하세요 "]
    put_table(root, *lines, start="\ufeff", end="\r\n")
    assert everything(custom.read(root))["anna_k-첫_번째"].text == "안녕 하세요"
    (root / "transcripts.txt").write_bytes("\r\n".join(lines).replace("\u00a0", " ").encode("cp949"))
    assert len(everything(custom.read(root))) == 11


def test_a_name_in_two_folders_must_say_which(root):
    record(root, "old/00003.wav", "a/x.wav", "b/x.wav")
    put_table(root, *(f"{k:05d}.wav|문장 {k}" for k in range(10)), "x.wav|어느 쪽", "a/x.wav|이쪽")
    corpus = custom.read(root)
    found = everything(corpus)
    assert found["anna_k-00003"].wav == str(root / "00003.wav")  # the clearest meaning
    assert found["anna_k-a_x"].wav == str(root / "a/x.wav")
    assert corpus.skipped == {"transcripts.txt:11": "x.wav may be a/x.wav or b/x.wav; name the folder"}


def test_what_does_not_fit_is_counted_and_listed(root, tmp_path, caplog):
    record(root, "silent.wav", wav=np.zeros(1600))
    record(root, "left_over.wav", "empty.wav")
    (root / "broken.wav").write_bytes(b"RIFF")
    (root / "._00001.wav").write_bytes(b"what macOS leaves")
    good = [f"{k:05d}.wav|문장 {k}" for k in range(10)]
    odd = [
        "gone.wav|말",
        "empty.wav| ",
        "silent.wav|말",
        "broken.wav|말",
        "00001.wav|다시",
        "just text",
        "a|b|c d",
        "|x",
    ]
    put_table(root, *good, "", *odd)
    with caplog.at_level(logging.WARNING):
        prepare(custom, str(tmp_path / "data"), db_root=str(root), nj=2)
    skipped = dict(row.split("\t") for row in (tmp_path / "data/skipped.tsv").read_text().splitlines())
    places = {f"transcripts.txt:{n}" for n in (12, 13, 16, 17, 18, 19)}
    assert set(skipped) == places | {"anna_k-silent", "anna_k-broken"}
    assert (tmp_path / "data/unused_recordings.tsv").read_text() == "left_over.wav\tis not in transcripts.txt\n"
    for kind, number in zip(custom.NEXT_STEP, (1, 1, 3, 1, 1, 1, 1), strict=True):
        assert f"{number} {kind} (first: " in caplog.text and custom.NEXT_STEP[kind] in caplog.text
    assert sum(len(read_data_dir(tmp_path / "data" / name)) for name in SETS) == 10


def test_several_speakers(root):
    record(root, *(f"b{k}.wav" for k in range(3)))
    put_table(
        root, *(f"{k:05d}.wav|문장 {k}|anna" for k in range(10)), *(f"b{k}.wav|문장|bob" for k in range(2)), "b2|문장|"
    )
    corpus = custom.read(root)
    assert {u.spk for name in ("dev", "eval1") for u in corpus.sets[name]} == {"anna"}
    assert {"bob-b0", "bob-b1", "anna_k-b2"} <= {u.utt_id for u in corpus.sets["tr_no_dev"]}


@pytest.mark.parametrize(("number", "held_out"), [(5, 2), (80, 4), (199, 10), (402, 10)])
def test_ends_are_held_out(number, held_out, tmp_path):
    utterances = [Utterance(f"s-{k}", "s") for k in range(number)]
    sets = custom.hold_out_ends(utterances, tmp_path)
    assert [len(sets[name]) for name in SETS] == [number - 2 * held_out, held_out, held_out]
    n = held_out // 2
    assert sets["eval1"] == utterances[:n] + utterances[-n:]
    assert sets["dev"] == utterances[n : 2 * n] + utterances[-2 * n : -n]


def test_what_is_missing_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no .*transcripts.txt: there should be a list of lines .*README.md"):
        custom.read(tmp_path)
    put_table(tmp_path, "a.wav|one")
    with pytest.raises(ValueError, match="0 sentences can be used, at least 5 are needed"):
        custom.read(tmp_path)


@pytest.mark.parametrize(("folder", "numbers"), [("ko_lmy", [210, 10, 10]), ("zh_baker", [72, 4, 4])])
def test_real_recordings(media, tmp_path, monkeypatch, folder, numbers):
    monkeypatch.setattr(custom, "_listen", lambda u: ("", ""))  # reading all of them takes seconds
    prepare(custom, str(tmp_path), db_root=str(media / "speech" / folder), nj=2)
    assert [len(read_data_dir(tmp_path / name)) for name in SETS] == numbers


def put_lists(tmp_path, **lists):
    for name, names in lists.items():
        (tmp_path / name).write_text("\n".join(names))
    return [str(tmp_path / name) for name in ("dev", "eval1")]


def test_listed_recordings_are_held_out(tmp_path):
    utterances = [Utterance(f"me-{k}", "me", "a", "") for k in range(5)]
    sets = custom.hold_out_listed(utterances, *put_lists(tmp_path, dev=["1.wav"], eval1=["4", "", "0.flac"]))
    names = {name: [u.utt_id for u in own] for name, own in sets.items()}
    assert names == {"tr_no_dev": ["me-2", "me-3"], "dev": ["me-1"], "eval1": ["me-0", "me-4"]}


@pytest.mark.parametrize(
    ("lists", "message"),
    [
        ({"dev": ["1"], "eval1": ["1"]}, "twice"),
        ({"dev": ["1"], "eval1": ["7"]}, "eval1: 1 recordings cannot be used, the first 7"),
        ({"dev": ["1"], "eval1": []}, "left for eval1"),
    ],
)
def test_lists_that_do_not_fit(lists, message, tmp_path):
    utterances = [Utterance(f"me-{k}", "me", "a", "") for k in range(3)]
    with pytest.raises(ValueError, match=message):
        custom.hold_out_listed(utterances, *put_lists(tmp_path, **lists))
