"""CMLR's reader."""

import pytest

from silvertalk.data import read_data_dir
from silvertalk.data.corpora import cmlr
from silvertalk.data.prepare import prepare

SPEAKERS = ("s1", "s2", "s6", "s10")
# Two sections that differ after a dot only.
SECTIONS = ("section_2_000.71_002.14", "section_2_000.71_002.99", "section_10_030.63_035.63")
DATE = "20130719"
SENTENCE = "我们要做真诚互信的好伙伴"


@pytest.fixture(autouse=True)
def not_opened(monkeypatch):
    """Media files are not read here."""
    monkeypatch.setattr(cmlr, "drop_unreadable", lambda utterances, nj, skipped: utterances)


def corpus(root, nested=()):
    """Write a small corpus; where (kind, speaker) is nested, the speaker's folder is in one of its name."""
    for spk in SPEAKERS:
        for section in SECTIONS:
            for kind, suffix in cmlr.SUFFIXES.items():
                folder = root / kind / spk / (spk if (kind, spk) in nested else "")
                path = folder / DATE / f"{section}.{suffix}"
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(f"{SENTENCE}\n我们 0.00 0.31\n要 0.31 0.40\n", encoding="utf-8")
    for file, section in zip(cmlr.LISTS.values(), SECTIONS, strict=True):
        (root / file).write_text("".join(f"{spk}/{DATE}_{section}\n" for spk in SPEAKERS))
    return root


def ids(corpus):
    return {name: sorted(u.utt_id for u in own) for name, own in corpus.sets.items()}


@pytest.mark.parametrize(
    ("line", "parts"),
    [
        ("s9/20130719_section_2_000.71_002.14", ("s9", "20130719", "section_2_000.71_002.14")),
        ("s11/20151009_section_3_030.36_032.65\r", ("s11", "20151009", "section_3_030.36_032.65")),
    ],
)
def test_ids_of_lists(tmp_path, line, parts):
    (tmp_path / "a.csv").write_text(f"{line}\n\n", newline="")
    (section,) = cmlr.read_list(tmp_path / "a.csv")
    assert (section.spk, section.date, section.section) == parts
    assert section.utt_id == "-".join(parts)


@pytest.mark.parametrize("line", ["id", "s9/20130719/section_2_000.71_002.14", "20130719_section_2_000.71_002.14"])
def test_other_lines_are_refused(tmp_path, line):
    (tmp_path / "a.csv").write_text(f"s9/20130719_section_2_000.71_002.14\n{line}\n")
    with pytest.raises(ValueError, match="a.csv:2: .* is not like"):
        list(cmlr.read_list(tmp_path / "a.csv"))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
@pytest.mark.parametrize("first", [SENTENCE, " ".join(SENTENCE) + " \r", "\u3000" + SENTENCE])
def test_sentence_is_the_first_line_without_spaces(tmp_path, encoding, first):
    (tmp_path / "a.txt").write_text(f"{first}\n我们 0.00 0.31\n", encoding=encoding, newline="")
    assert cmlr.sentence(tmp_path / "a.txt") == SENTENCE
    (tmp_path / "a.txt").write_text("\n我们 0.00 0.31\n")
    with pytest.raises(ValueError, match="a.txt: has no sentence"):
        cmlr.sentence(tmp_path / "a.txt")


@pytest.mark.parametrize("nested", [(), [("video", "s2")], [(kind, spk) for kind in cmlr.SUFFIXES for spk in SPEAKERS]])
@pytest.mark.parametrize("folder", ["", "CMLR"])
def test_published_split(tmp_path, nested, folder):
    corpus(tmp_path / folder, nested)
    found = cmlr.read(str(tmp_path), nj=2)
    assert ids(found) == {
        name: sorted(f"{spk}-{DATE}-{section}" for spk in SPEAKERS)
        for name, section in zip(("tr_no_dev", "dev", "eval1"), SECTIONS, strict=True)
    }
    assert found.shares_speakers and not found.skipped
    own = next(u for u in found.sets["dev"] if u.spk == "s2")
    inside = "s2/s2" if ("video", "s2") in nested else "s2"
    assert own.video == str(tmp_path / folder / f"video/{inside}/{DATE}/{SECTIONS[1]}.mp4")
    assert own.wav.endswith(f"/{DATE}/{SECTIONS[1]}.wav") and own.text == SENTENCE


def test_unseen_speakers(tmp_path):
    prepare(cmlr, str(tmp_path / "data"), db_root=str(corpus(tmp_path / "db")), split="unseen")
    speakers = {name: [u.spk for u in read_data_dir(tmp_path / "data" / name)] for name in cmlr.LISTS}
    assert speakers["eval1"] == ["s2"] * 3 + ["s6"] * 3
    assert {*speakers["tr_no_dev"], *speakers["dev"]} == {"s1", "s10"} and len(speakers["dev"]) == 3
    found = cmlr.read(str(tmp_path / "db"), split="unseen", unseen="s10")
    assert {u.spk for u in found.sets["eval1"]} == {"s10"} and not found.shares_speakers
    with pytest.raises(ValueError, match="none of s3 s4 .*--unseen"):
        cmlr.read(str(tmp_path / "db"), split="unseen", unseen="s3,s4")
    with pytest.raises(ValueError, match="--split takes official or unseen"):
        cmlr.read(str(tmp_path / "db"), split="all")


def test_repeated_clips_are_tested_on(tmp_path):
    root = corpus(tmp_path)
    with open(root / "train.csv", "a") as out:
        out.write(f"s1/{DATE}_{SECTIONS[0]}\ns1/{DATE}_{SECTIONS[2]}\n")
    found = cmlr.read(str(root))
    assert {name: len(own) for name, own in found.sets.items()} == {"tr_no_dev": 4, "dev": 4, "eval1": 4}
    assert set(found.tables["left_out.tsv"]) == {f"s1-{DATE}-{SECTIONS[k]}" for k in (0, 2)}


def test_unusable_clips_are_listed(tmp_path, monkeypatch):
    monkeypatch.undo()
    root = corpus(tmp_path)
    (root / f"text/s1/{DATE}/{SECTIONS[0]}.txt").unlink()
    skipped = {}
    folders = cmlr.find_speakers(root, SPEAKERS, [])
    read = cmlr.read_sections(list(cmlr.read_list(root / "train.csv")), folders, 2, skipped)
    assert [u.spk for u in read] == ["s2", "s6", "s10"] and SECTIONS[0] in skipped[f"s1-{DATE}-{SECTIONS[0]}"]
    found = cmlr.read(str(root))  # the media files are texts
    assert len(found.skipped) == 12 and not any(found.sets.values())


def test_what_is_missing_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"video/s\*: there should be the speakers' folders"):
        cmlr.read(str(tmp_path))
    root = corpus(tmp_path)
    (root / "audio/s6").rename(root / "audio/six")
    with pytest.raises(FileNotFoundError, match="no folder .*/audio/s6; unpack .*--spk"):
        cmlr.read(str(root))
    assert {u.spk for u in cmlr.read(str(root), spk="s1,s10").sets["dev"]} == {"s1", "s10"}
    with pytest.raises(ValueError, match="no list of .* has speaker 's3'; there are: s1 s2 s6 s10"):
        cmlr.read(str(root), spk="s3")
    (root / "val.csv").unlink()
    with pytest.raises(FileNotFoundError, match="val.csv: there should be a list"):
        cmlr.read(str(root))
