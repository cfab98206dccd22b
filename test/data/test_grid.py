import logging

import pytest

from silvertalk.data import read_data_dir, read_scp, validate_data_dir
from silvertalk.data.corpora import grid
from silvertalk.data.prepare import prepare

CODES = ("bbaf2n", "lwbz9a", "sgix1p", "prwqzs")


def write_align(path, code, silence="sil"):
    words = grid.sentence(code).split()
    lines = [f"0 10000 {silence}"] + [f"{10000 + 5000 * k} {15000 + 5000 * k} {word}" for k, word in enumerate(words)]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([*lines, "40000 74500 sil"]) + "\n")


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("bbaf2n", "bin blue at f two now"),
        ("lwbz9a", "lay white by z nine again"),
        ("prwqzs", "place red with q zero soon"),
    ],
)
def test_names_spell_sentences(code, words):
    assert grid.sentence(code) == words


@pytest.mark.parametrize("code", ["", "bbaf2", "bbaf2nn", "xbaf2n", "bbaw2n", "bbaf0n", "Thumbs"])
def test_other_names_are_refused(code):
    with pytest.raises(ValueError, match="not a GRID file name"):
        grid.sentence(code)


def test_align_times_are_seconds(tmp_path):
    write_align(tmp_path / "a.align", "bbaf2n", silence="sp")
    words = grid.read_align(tmp_path / "a.align")
    assert [word for _, _, word in words] == ["bin", "blue", "at", "f", "two", "now"]
    assert words[0][:2] == (0.4, 0.6)
    (tmp_path / "b.align").write_text("0 1 sil\n1 two 3\n")
    with pytest.raises(ValueError, match="b.align:2"):
        grid.read_align(tmp_path / "b.align")


def put(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()


def test_zenodo_layout(tmp_path):
    for spk in ("s1", "s2", "s10"):
        for code in CODES:
            put(tmp_path / spk / f"{code}.mpg")
            write_align(tmp_path / "alignments" / spk / f"{code}.align", code)
    put(tmp_path / "s1/Thumbs.db")
    clips = grid.find_clips(tmp_path)
    assert [clip.utt_id for clip in clips[::4]] == ["s1-bbaf2n", "s2-bbaf2n", "s10-bbaf2n"] and len(clips) == 12
    assert not grid.disagreeing_aligns(clips)
    assert clips[0].align == tmp_path / "alignments/s1/bbaf2n.align"
    assert {clip.spk for clip in grid.find_clips(tmp_path, ["s2"])} == {"s2"}


def test_archive_unpacked_in_its_own_folder(tmp_path):
    put(tmp_path / "s1/s1/bbaf2n.mpg")
    assert [clip.utt_id for clip in grid.find_clips(tmp_path)] == ["s1-bbaf2n"]


def test_sheffield_layout_and_quality(tmp_path):
    for code in CODES[:2]:
        put(tmp_path / f"s1/video/mpg_6000/{code}.mpg")
        put(tmp_path / f"s1/{code}.mpg")
        write_align(tmp_path / f"s1/align/{code}.align", code)
    put(tmp_path / f"s1/video/mpg_6000/{CODES[2]}.mpg")
    normal, high = (grid.find_clips(tmp_path, quality=quality) for quality in ("normal", "high"))
    assert ["mpg_6000" in str(clip.video) for clip in normal] == [False, False, True]
    assert ["mpg_6000" in str(clip.video) for clip in high] == [True, True, True]
    assert normal[0].align and normal[0].align == high[0].align and not normal[2].align


def test_swapped_alignments_are_reported_and_the_name_counts(tmp_path, caplog):
    for spk, of in (("s5", CODES), ("s6", CODES)):
        for code in of:
            put(tmp_path / spk / f"{code}.mpg")
    write_align(tmp_path / "alignments/s5/bbaf2n.align", "bbaf2n")
    write_align(tmp_path / "alignments/s6/bbaf2n.align", "lwbz9a")
    clips = grid.find_clips(tmp_path)
    wrong = grid.disagreeing_aligns(clips)
    assert wrong == {"s6-bbaf2n": "lay white by z nine again"}
    with caplog.at_level(logging.WARNING):
        grid.log_disagreements(wrong, clips)
    assert "s6: 1 align files" in caplog.text
    assert grid.to_utterance(next(c for c in clips if c.utt_id == "s6-bbaf2n")).text == "bin blue at f two now"


def test_nothing_there(tmp_path):
    with pytest.raises(FileNotFoundError, match="no folder"):
        grid.find_clips(tmp_path / "nowhere")
    with pytest.raises(FileNotFoundError, match="no GRID recordings"):
        grid.find_clips(tmp_path)
    put(tmp_path / "s3/bbaf2n.mpg")
    with pytest.raises(FileNotFoundError, match="there are: s3"):
        grid.find_clips(tmp_path, ["s4"])


def codes(number):
    letters = "abcdefghijklmnopqrstuvxyz"
    return [f"bba{letters[k % 25]}{1 + k // 25 % 9}{'anps'[k // 225]}" for k in range(number)]


def test_worker_skips_what_is_broken(tmp_path, grid_clip):
    root = tmp_path / "grid"
    names = codes(12)
    whole = grid_clip(root / f"s1/{names[0]}.mpg").read_bytes()
    for code in names[1:]:
        (root / f"s1/{code}.mpg").write_bytes(whole)
    (root / f"s1/{names[3]}.mpg").write_bytes(b"")
    grid_clip(root / f"s1/{names[4]}.mpg", num_frames=40)
    prepare(grid, str(tmp_path / "data"), db_root=str(root), dev_share=0.1, eval_share=0.2)
    skipped = dict(line.split("\t") for line in (tmp_path / "data/skipped.tsv").read_text().splitlines())
    assert set(skipped) == {f"s1-{names[3]}", f"s1-{names[4]}"}
    assert skipped[f"s1-{names[4]}"] == "40 frames instead of 75"
    sizes = {}
    for name in ("tr_no_dev", "dev", "eval1"):
        validate_data_dir(tmp_path / "data" / name)
        sizes[name] = len(read_data_dir(tmp_path / "data" / name))
    assert sizes == {"tr_no_dev": 7, "dev": 1, "eval1": 2}
    video = read_scp(tmp_path / "data/dev/video.scp")
    assert video == read_scp(tmp_path / "data/dev/wav.scp")


def test_speakers_that_nobody_has_seen(tmp_path, grid_clip):
    clip = grid_clip(tmp_path / "clip.mpg", num_frames=2).read_bytes()
    for spk in ("s1", "s2", "s3", "s4", "s5"):
        for code in codes(3):
            put(path := tmp_path / spk / f"{code}.mpg")
            path.write_bytes(clip)
    corpus = grid.read(tmp_path, num_frames=2, split="speaker")
    speakers = {name: {u.spk for u in own} for name, own in corpus.sets.items()}
    assert speakers["eval1"] == {"s1", "s2"} and len(speakers["dev"]) == 1 and len(speakers["tr_no_dev"]) == 2
    assert not corpus.shares_speakers and sum(map(len, corpus.sets.values())) == 15
    with pytest.raises(ValueError, match="--spk"):
        grid.read(tmp_path, num_frames=2, split="speaker", spk="s3,s4,s5")


def test_worker_says_what_to_do(tmp_path, grid_clip):
    with pytest.raises(ValueError, match="--db_root"):
        prepare(grid, db_root="")
    for code in CODES:
        grid_clip(tmp_path / f"s1/{code}.mpg", num_frames=2)
    with pytest.raises(RuntimeError, match="4 of 4 utterances"):
        prepare(grid, str(tmp_path / "data"), db_root=str(tmp_path))
    with pytest.raises(ValueError, match="no utterance is left"):
        prepare(grid, str(tmp_path / "data"), db_root=str(tmp_path), num_frames=2)
