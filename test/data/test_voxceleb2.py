"""VoxCeleb2: a million clips in two trees."""

import logging

import pytest

from silvertalk.data import read_data_dir, validate_data_dir
from silvertalk.data.corpora import voxceleb2
from silvertalk.data.prepare import prepare

SPEAKERS = {"dev": ["id00012", "id00013", "id00014"], "test": ["id00017"]}


def put(path, data=b""):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def make(root, videos=("21Uxsk56VDQ", "-_uxsk56VDQ"), clips=("00001", "00002")):
    """The published tree, of empty files."""
    for half, own in SPEAKERS.items():
        for spk in own:
            for video in videos:
                for clip in clips:
                    put(root / f"{half}/mp4/{spk}/{video}/{clip}.mp4")
                    put(root / f"{half}/aac/{spk}/{video}/{clip}.m4a")
    lines = ["VoxCeleb2 ID ,VGGFace2 ID ,Gender ,Set "]
    lines += [f"{spk} ,n0 ,m ,{half} " for half, own in SPEAKERS.items() for spk in own]
    put(root / "vox2_meta.csv", "\n".join(lines).encode())
    return root


def speakers(corpus):
    return {name: {u.spk for u in own} for name, own in corpus.sets.items()}


def test_official_test_speakers_are_eval1_and_dev_has_its_own(tmp_path):
    corpus = voxceleb2.read(make(tmp_path), check_media=False)
    found = speakers(corpus)
    assert found["eval1"] == {"id00017"} and len(found["dev"]) == 1 and len(found["tr_no_dev"]) == 2
    assert not found["dev"] & found["tr_no_dev"] and not corpus.skipped and not corpus.shares_speakers
    first, *_, last = corpus.sets["eval1"]
    assert first.utt_id == "id00017--_uxsk56VDQ-00001"
    assert last.utt_id == "id00017-21Uxsk56VDQ-00002" and last.text is None
    assert last.wav == f"{tmp_path}/test/aac/id00017/21Uxsk56VDQ/00002.m4a"
    assert last.video == f"{tmp_path}/test/mp4/id00017/21Uxsk56VDQ/00002.mp4"
    assert len(corpus.sets["eval1"]) == 4 and corpus.sets["eval1"][3] == last


@pytest.mark.parametrize("nj", [1, 3])
def test_result_does_not_depend_on_nj(tmp_path, nj):
    corpus = voxceleb2.read(make(tmp_path), nj, check_media=False)
    again = voxceleb2.read(tmp_path, check_media=False)
    assert {n: list(own) for n, own in corpus.sets.items()} == {n: list(own) for n, own in again.sets.items()}


def test_table_decides_over_the_folder_and_its_spaces_are_no_matter(tmp_path, caplog):
    table = make(tmp_path) / "vox2_meta.csv"
    assert voxceleb2.read_meta(table)["id00012"] == "dev"
    table.write_text(table.read_text().replace("id00013 ,n0 ,m ,dev", "id00013 ,n0 ,m ,test"))
    assert speakers(voxceleb2.read(tmp_path, check_media=False))["eval1"] == {"id00013", "id00017"}
    table.write_text("id,set\n")
    with pytest.raises(ValueError, match=r"vox2_meta.csv:1: .*lack 'VoxCeleb2 ID'"):
        voxceleb2.read(tmp_path, check_media=False)
    table.unlink()
    with caplog.at_level(logging.WARNING):
        assert speakers(voxceleb2.read(tmp_path, check_media=False))["eval1"] == {"id00017"}
    assert "no " + str(table) in caplog.text and "3 of its 5994 speakers" in caplog.text


@pytest.mark.parametrize("places", [("vox2",), ("vox2_mp4", "vox2_aac")])
def test_trees_a_folder_deeper(tmp_path, places):
    make(tmp_path / "a")
    for half in SPEAKERS:
        for kind, place in zip(("mp4", "aac"), (places[0], places[-1]), strict=True):
            (tmp_path / "b" / place / half).mkdir(parents=True, exist_ok=True)
            (tmp_path / f"a/{half}/{kind}").rename(tmp_path / f"b/{place}/{half}/{kind}")
    corpus = voxceleb2.read(tmp_path / "b", check_media=False)
    assert sum(map(len, corpus.sets.values())) == 16
    assert corpus.sets["eval1"][0].wav.startswith(f"{tmp_path}/b/{places[-1]}/test/aac/")


def test_archive_unpacked_into_a_folder_of_its_name(tmp_path):
    make(tmp_path / "a")
    (tmp_path / "a/dev/mp4").rename(tmp_path / "mp4")
    (tmp_path / "a/dev/mp4").mkdir()
    (tmp_path / "mp4").rename(tmp_path / "a/dev/mp4/mp4")
    assert sum(map(len, voxceleb2.read(tmp_path / "a", check_media=False).sets.values())) == 16


@pytest.mark.parametrize(("half", "kind"), [("dev", "mp4"), ("dev", "aac"), ("test", "mp4"), ("test", "aac")])
def test_what_is_not_unpacked_is_named(tmp_path, half, kind):
    make(tmp_path)
    (tmp_path / half / kind).rename(tmp_path / "elsewhere")
    put(tmp_path / f"vox2_{half}_{kind}_partaa")
    message = rf"no {tmp_path}/{half}/{kind}/id\*: .*vox2_{half}_{kind}_partaa is there: join the parts"
    with pytest.raises(FileNotFoundError, match=message):
        voxceleb2.read(tmp_path)


def test_half_unpacked_sound_is_named_or_left_out(tmp_path):
    make(tmp_path)
    (tmp_path / "dev/aac/id00014").rename(tmp_path / "elsewhere")
    with pytest.raises(
        FileNotFoundError, match=r"no .*/dev/aac/id00014: .*1 speakers lack it.*vox2_dev_aac.*--partial"
    ):
        voxceleb2.read(tmp_path, check_media=False)
    corpus = voxceleb2.read(tmp_path, check_media=False, partial=True)
    assert sum(map(len, corpus.sets.values())) == 12 and list(corpus.skipped) == ["dev/id00014"]


def test_clips_without_their_other_half_are_listed(tmp_path):
    make(tmp_path)
    (tmp_path / "dev/aac/id00012/21Uxsk56VDQ/00001.m4a").unlink()
    (tmp_path / "test/mp4/id00017/21Uxsk56VDQ/00002.mp4").unlink()
    corpus = voxceleb2.read(tmp_path, check_media=False)
    assert corpus.skipped == {
        "id00012-21Uxsk56VDQ-00001": f"no {tmp_path}/dev/aac/id00012/21Uxsk56VDQ/00001.m4a",
        "id00017-21Uxsk56VDQ-00002": f"no {tmp_path}/test/mp4/id00017/21Uxsk56VDQ/00002.mp4",
    }
    assert sum(map(len, corpus.sets.values())) == 14


def test_damaged_files_cost_exactly_their_clips(tmp_path, grid_clip, monkeypatch):
    root = make(tmp_path / "vox")
    data = grid_clip(tmp_path / "a.mpg", num_frames=3).read_bytes()
    for path in [*root.glob("*/*/*/*/*.m4a"), *root.glob("*/*/*/*/*.mp4")]:
        path.write_bytes(data)
    (root / "dev/mp4/id00012/21Uxsk56VDQ/00001.mp4").write_bytes(b"no video")
    (root / "test/aac/id00017/-_uxsk56VDQ/00002.m4a").write_bytes(b"")
    monkeypatch.setattr(voxceleb2, "CHECKED_AT_ONCE", 3)
    prepare(voxceleb2, str(tmp_path / "data"), db_root=str(root), nj=2)
    lines = (tmp_path / "data/skipped.tsv").read_text().splitlines()
    assert [line.split("\t")[0] for line in lines] == ["id00012-21Uxsk56VDQ-00001", "id00017--_uxsk56VDQ-00002"]
    found = 0
    for name in ("tr_no_dev", "dev", "eval1"):
        validate_data_dir(tmp_path / "data" / name)
        found += len(read_data_dir(tmp_path / "data" / name))
    assert found == 14


def test_wrong_folder(tmp_path):
    with pytest.raises(ValueError, match="--db_root"):
        voxceleb2.read("")
    with pytest.raises(FileNotFoundError, match=r"dev/mp4/id\*: .*id00012/21Uxsk56VDQ/00001.mp4; egs/voxceleb2"):
        voxceleb2.read(tmp_path)
