"""MEAD: sides, emotions, levels, and clips that lack a half."""

import pytest

from silvertalk.data import read_data_dir, validate_data_dir
from silvertalk.data.corpora import mead
from silvertalk.data.prepare import prepare
from silvertalk.media import MediaInfo

ACTORS = ("M003", "M005", "W009", "W011")


def put(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()


def make(root, actors=ACTORS, views=("front", "left_30"), video="video/"):
    """The published tree, of empty files: angry at three levels, neutral at one."""
    for actor in actors:
        for emotion, level in (("angry", 1), ("angry", 2), ("angry", 3), ("neutral", 1)):
            for number in ("001", "002"):
                put(root / f"{actor}/audio/{emotion}/level_{level}/{number}.m4a")
                for view in views:
                    put(root / f"{actor}/{video}{view}/{emotion}/level_{level}/{number}.mp4")
    return root


@pytest.fixture
def media(monkeypatch):
    """What the empty files say of themselves: path's end -> MediaInfo or error."""
    said = {}

    def probe(path):
        info = next((info for end, info in said.items() if path.endswith(end)), None)
        if isinstance(info, Exception):
            raise info
        is_video = path.endswith(".mp4")
        return info or MediaInfo(3.0, 30.0 * is_video, 1920 * is_video, 1080 * is_video, not is_video, False)

    monkeypatch.setattr("silvertalk.data.corpus.probe", probe)
    return said


def utterances(corpus):
    return sorted((u for own in corpus.sets.values() for u in own), key=lambda u: u.utt_id)


def test_front_of_everybody(tmp_path, media):
    corpus = mead.read(make(tmp_path))
    found = utterances(corpus)
    assert len(found) == 4 * 8 and not corpus.skipped and not corpus.shares_speakers
    assert found[0].utt_id == "M003-front-angry-1-001" and found[0].text is None
    assert found[0].video == f"{tmp_path}/M003/video/front/angry/level_1/001.mp4"
    assert found[0].wav == f"{tmp_path}/M003/audio/angry/level_1/001.m4a"
    actors = [{u.spk for u in own} for own in corpus.sets.values()]
    assert all(actors) and sum(map(len, actors)) == 4


@pytest.mark.parametrize(
    ("options", "count"),
    [
        ({"views": "all"}, 64),
        ({"views": "left_30,front"}, 64),
        ({"emotions": "angry"}, 24),
        ({"levels": "3"}, 16),  # neutral has level_1 only
        ({"levels": "2,3", "emotions": "angry"}, 16),
        ({"levels": "3", "emotions": "neutral"}, 8),
    ],
)
def test_choice(tmp_path, media, options, count):
    assert len(utterances(mead.read(make(tmp_path), **options))) == count


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"views": "top"}, "--views top: there is no top; there are: front left_30"),
        ({"emotions": "bored"}, "--emotions bored: .*angry neutral"),
        ({"levels": "level_1"}, "--levels level_1: .*there are: 1 2 3"),
    ],
)
def test_choice_that_is_not_there(tmp_path, options, message):
    with pytest.raises(ValueError, match=message):
        mead.read(make(tmp_path), **options)


@pytest.mark.parametrize("nj", [1, 3])
def test_result_does_not_depend_on_nj(tmp_path, media, nj):
    media["M003/audio/angry/level_1/001.m4a"] = RuntimeError("broken")
    corpus, again = mead.read(make(tmp_path), nj), mead.read(tmp_path)
    assert corpus.sets == again.sets and corpus.skipped == again.skipped == {"M003-front-angry-1-001": "broken"}


def test_actor_without_the_side_is_listed(tmp_path, media):
    make(tmp_path, ACTORS)
    make(tmp_path, ("W017",), views=("down",))
    corpus = mead.read(tmp_path)
    assert corpus.skipped == {"W017-front": "no such view; it has down"}
    assert {u.spk for u in utterances(corpus)} == set(ACTORS)


def test_mirror_without_the_folder_video_and_a_folder_deeper(tmp_path, media):
    make(tmp_path / "MEAD", video="")
    found = utterances(mead.read(tmp_path, views="all"))
    assert len(found) == 64 and {u.utt_id.split("-")[1] for u in found} == {"front", "left_30"}
    assert found[0].video == f"{tmp_path}/MEAD/M003/front/angry/level_1/001.mp4"


def test_halves_that_do_not_match_are_listed(tmp_path, media):
    make(tmp_path)
    (tmp_path / "M003/audio/angry/level_1/002.m4a").unlink()
    (tmp_path / "M003/video/front/angry/level_2/001.mp4").unlink()
    (tmp_path / "M005/video/front/neutral/level_1/001.mp4").unlink()
    corpus = mead.read(tmp_path, levels="1")
    assert len(utterances(corpus)) == 16 - 2
    assert corpus.skipped == {
        "M003-front-angry-1-002": f"{tmp_path}/M003/video/front/angry/level_1/002.mp4: has no sound, "
        "and there is no m4a of it",
        "M005-front-neutral-1-001": f"{tmp_path}/M005/audio/neutral/level_1/001.m4a: has no mp4 of that number",
    }


def test_sound_of_the_video_serves_where_there_is_no_m4a(tmp_path, media):
    make(tmp_path)
    for actor in ACTORS:
        (tmp_path / actor / "audio").rename(tmp_path / f"{actor}.gone")
    media["M003/video/front/angry/level_1/001.mp4"] = MediaInfo(3.0, 0.0, 0, 0, True, False)
    media[".mp4"] = MediaInfo(3.0, 30.0, 1920, 1080, True, False)
    corpus = mead.read(tmp_path)
    assert all(u.wav == u.video for u in utterances(corpus)) and len(utterances(corpus)) == 31
    assert "has no picture" in corpus.skipped["M003-front-angry-1-001"]


def test_numbers_that_stand_for_different_sentences(tmp_path, media):
    media["M003/audio/angry/level_1/002.m4a"] = MediaInfo(5.2, 0.0, 0, 0, True, False)
    corpus = mead.read(make(tmp_path))
    assert "lasts 5.20 s, its picture 3.00 s" in corpus.skipped["M003-front-angry-1-002"]
    assert not mead.read(tmp_path, max_difference=3.0).skipped


@pytest.mark.parametrize(("kind", "archive"), [("audio", "audio.tar"), ("video", "video.tar")])
def test_packed_half_is_named(tmp_path, kind, archive):
    make(tmp_path)
    (tmp_path / "M005" / kind).rename(tmp_path / "gone")
    put(tmp_path / "M005" / archive)
    with pytest.raises(FileNotFoundError, match=f"no {tmp_path}/M005/{kind}: it lies packed in {archive}"):
        mead.read(tmp_path)


def test_wrong_folder(tmp_path):
    with pytest.raises(FileNotFoundError, match="M003/video/front/angry/level_1/001.mp4; egs/mead"):
        mead.read(tmp_path)


def test_damaged_files_cost_exactly_their_clips(tmp_path, grid_clip):
    root = make(tmp_path / "MEAD", views=("front",))
    data = grid_clip(tmp_path / "a.mpg", num_frames=3).read_bytes()
    for path in [*root.rglob("*.m4a"), *root.rglob("*.mp4")]:
        path.write_bytes(data)
    (root / "M005/video/front/angry/level_2/002.mp4").write_bytes(b"no video")
    (root / "W009/audio/neutral/level_1/001.m4a").write_bytes(b"")
    prepare(mead, str(tmp_path / "data"), db_root=str(root), nj=2)
    lines = (tmp_path / "data/skipped.tsv").read_text().splitlines()
    assert [line.split("\t")[0] for line in lines] == ["M005-front-angry-2-002", "W009-front-neutral-1-001"]
    found = 0
    for name in ("tr_no_dev", "dev", "eval1"):
        validate_data_dir(tmp_path / "data" / name)
        found += len(read_data_dir(tmp_path / "data" / name))
    assert found == 30
