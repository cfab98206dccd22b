"""LRW-1000: words joined with their sounds and cut out of folders; stages 3 and 4 on pictures of mouths."""

import logging

import cv2
import kaldiio
import numpy as np
import pytest

from silvertalk.bin.face_dump import face_dump
from silvertalk.data import Utterance, combine_parts, read_data_dir, read_scp, validate_data_dir, write_data_dir
from silvertalk.data.corpora import lrw1000
from silvertalk.data.face_clips import FaceClip, load_face_clips
from silvertalk.data.prepare import prepare
from silvertalk.face.prepare.dump import mouth_as_face, picture_span, read_mouths
from silvertalk.face.prepare.offset import measure_offsets
from silvertalk.face.prepare.sync import SyncLimits, sync_filter
from silvertalk.media import read_frames, write_audio
from silvertalk.syncnet.dataset import MIN_CLIP_FRAMES, SyncNetDataset, to_float

# (set, video, characters, pinyin, start, end), with times as the two kinds of lists write them
WORDS = [
    ("trn", "aa11", "中国", "zhong guo", "0.2", "0.70"),
    ("trn", "aa11", "经济", "jing ji", "1.00", "1.4"),
    ("val", "bb22", "中国", "zhong guo", "0.08", "0.52"),
    ("tst", "cc33", "问题", "wen ti", "1.16", "1.60"),
]


def longer(time):
    """The same time with two digits."""
    return f"{float(time):.2f}"


def write_lists(info, words, encoding="utf-8"):
    info.mkdir(parents=True, exist_ok=True)
    for name in ("trn", "val", "tst"):
        lines = [",".join(word[1:]) for word in words if word[0] == name]
        (info / f"{name}_1000.txt").write_text("\n".join(lines) + "\n", encoding=encoding)
    lines = [
        f"{video},{video}_{k},{characters},{pinyin},{longer(start)},{longer(end)}"
        for k, (_, video, characters, pinyin, start, end) in enumerate(words)
    ]
    (info / "all_audio_video.txt").write_text("\n".join(lines) + "\n", encoding=encoding)


def make(root, words=WORDS, images="images", num_pictures=50, margin=0.0, **options):
    """The published tree; the pictures are empty files."""
    write_lists(root / "info", words, **options)
    for k, (_, video, _, _, start, end) in enumerate(words):
        seconds = max(float(end) - float(start), 0) + 2 * margin
        write_audio(root / f"audio/{video}_{k}.wav", np.full(round(16000 * seconds), 0.1), 16000)
        (root / images / video).mkdir(parents=True, exist_ok=True)
        for number in range(1, num_pictures + 1):
            (root / images / video / f"{number}.jpg").touch()
    return root


def only(corpus, name):
    (utterance,) = corpus.sets[name]
    return utterance


def test_lists_are_the_sets(tmp_path):
    corpus = lrw1000.read(make(tmp_path))
    assert {name: len(own) for name, own in corpus.sets.items()} == {"tr_no_dev": 2, "dev": 1, "eval1": 1}
    assert not corpus.skipped and not corpus.shares_speakers
    test = only(corpus, "eval1")
    assert (test.utt_id, test.spk, test.text) == ("cc33-000116-000160-wen_ti", "cc33", "wen ti")
    assert test.wav == f"{tmp_path}/audio/cc33_3.wav"


@pytest.mark.parametrize(
    ("start", "end", "rows"),
    [
        (20, 70, "5:17"),  # 6.jpg is shown from 0.20 s, 18.jpg from 0.68 s
        (116, 160, "29:40"),  # floating point makes 28.999999999999996 of 1.16 * 25
        (0, 4, "0:1"),
        (1, 3, "0:0"),
        (190, 200, "47:49"),  # the video ends where the word ends: there is no 51.jpg
    ],
)
def test_rows_of_a_word(start, end, rows):
    pictures = {str(number): number - 1 for number in range(1, 51)}
    assert lrw1000.find_rows(lrw1000.Word("a", "b", start, end), pictures) == rows


def test_missing_picture_costs_the_words_that_need_it_and_moves_no_other(tmp_path):
    make(tmp_path, num_pictures=60)
    (tmp_path / "images/aa11/8.jpg").unlink()
    corpus = lrw1000.read(tmp_path)
    assert corpus.skipped == {"aa11-000020-000070-zhong_guo": f"{tmp_path}/images/aa11: no 8.jpg of 6.jpg to 18.jpg"}
    # 26.jpg to 36.jpg now are rows 24 to 34
    assert only(corpus, "tr_no_dev").video == f"{tmp_path}/images/aa11[24:34]"


def test_times_agree_to_two_digits_and_the_pinyin_counts(tmp_path):
    words = [*WORDS, ("trn", "aa11", "重过", "chong guo", "0.2", "0.70")]
    corpus = lrw1000.read(make(tmp_path, words))
    assert sorted(u.wav[-10:] for u in corpus.sets["tr_no_dev"]) == ["aa11_0.wav", "aa11_1.wav", "aa11_4.wav"]


def test_word_without_a_sound_is_listed(tmp_path):
    path = make(tmp_path) / "info/all_audio_video.txt"
    path.write_text(path.read_text().replace("1.00,1.40", "1.00,1.41"))
    corpus = lrw1000.read(tmp_path)
    assert list(corpus.skipped) == ["aa11-000100-000140-jing_ji"]
    assert "has no 'aa11,jing ji,100,140'" in corpus.skipped["aa11-000100-000140-jing_ji"]


def test_words_that_take_no_time_are_dropped_and_listed(tmp_path):
    corpus = lrw1000.read(make(tmp_path, [*WORDS, ("trn", "aa11", "零", "ling", "1.5", "1.50")]))
    assert list(corpus.skipped) == ["aa11-000150-000150-ling"] and len(corpus.sets["tr_no_dev"]) == 2


def test_word_listed_twice_is_taken_once(tmp_path):
    assert len(lrw1000.read(make(tmp_path, [*WORDS, WORDS[0]])).sets["tr_no_dev"]) == 2


def test_line_of_another_form_is_named(tmp_path):
    make(tmp_path)
    path = tmp_path / "info/trn_1000.txt"
    path.write_text(path.read_text() + "aa11,中国\n")
    assert list(lrw1000.read(tmp_path).skipped) == ["trn_1000.txt:3"]
    path = tmp_path / "info/all_audio_video.txt"
    path.write_text("aa11,中国\n")
    with pytest.raises(RuntimeError, match="all_audio_video.txt:1: 'aa11,中国' is not"):
        lrw1000.read(tmp_path)


@pytest.mark.parametrize("images", ["lip_images", "images/images", "lip_images/lip_images"])
def test_other_names_of_the_pictures(tmp_path, images):
    assert only(lrw1000.read(make(tmp_path, images=images)), "dev").video == f"{tmp_path}/{images}/bb22[2:13]"


def test_folder_above_lists_beside_and_sound_deeper(tmp_path):
    root = make(tmp_path / "LRW1000_Public", encoding="gb18030")
    for path in (root / "info").iterdir():
        path.rename(root / path.name)
    (root / "audio").rename(tmp_path / "sound")
    (root / "audio/LRW1000_Public").mkdir(parents=True)
    (tmp_path / "sound").rename(root / "audio/LRW1000_Public/audio")
    assert only(lrw1000.read(tmp_path), "dev").wav == f"{root}/audio/LRW1000_Public/audio/bb22_2.wav"


@pytest.mark.parametrize("nj", [1, 3])
def test_damaged_files_cost_exactly_their_words(tmp_path, nj):
    make(tmp_path / "lrw")
    (tmp_path / "lrw/audio/aa11_0.wav").write_bytes(b"RIFF")
    prepare(lrw1000, str(tmp_path / "data"), db_root=str(tmp_path / "lrw"), nj=nj)
    key, reason = (tmp_path / "data/skipped.tsv").read_text().strip().split("\t")
    assert key == "aa11-000020-000070-zhong_guo" and "aa11_0.wav: cannot be read" in reason
    for name in ("tr_no_dev", "dev", "eval1"):
        validate_data_dir(tmp_path / "data" / name)
    assert read_scp(tmp_path / "data/tr_no_dev/text") == {"aa11-000100-000140-jing_ji": "jing ji"}


def test_sound_and_pictures_that_are_not_there(tmp_path):
    make(tmp_path)
    (tmp_path / "audio/aa11_1.wav").unlink()
    (tmp_path / "images/bb22").rename(tmp_path / "gone")
    skipped = lrw1000.read(tmp_path).skipped
    assert "aa11_1.wav: is missing" in skipped["aa11-000100-000140-jing_ji"]
    assert f"{tmp_path}/images/bb22" in skipped["bb22-000008-000052-zhong_guo"]


def test_sound_that_is_more_than_the_word(tmp_path):
    words = [(*word[:4], longer(float(word[4]) + 1), longer(float(word[5]) + 1)) for word in WORDS]
    make(tmp_path, words, num_pictures=80, margin=0.2)
    skipped = lrw1000.read(tmp_path).skipped
    assert len(skipped) == 4 and "lasts 0.90 s instead of 0.50 s" in skipped["aa11-000120-000170-zhong_guo"]
    corpus = lrw1000.read(tmp_path, sound_margin=0.2)
    assert not corpus.skipped and only(corpus, "dev").video == f"{tmp_path}/images/bb22[22:43]"


def test_videos_in_two_lists_are_said(tmp_path, caplog):
    words = [*WORDS, ("val", "aa11", "问题", "wen ti", "1.5", "1.7")]
    with caplog.at_level(logging.WARNING):
        assert lrw1000.read(make(tmp_path, words)).shares_speakers
    assert "1 videos are in more than one" in caplog.text


@pytest.mark.parametrize(
    ("gone", "message"),
    [
        ("info/val_1000.txt", "no .*/info/val_1000.txt: there should be the list of dev"),
        ("info/all_audio_video.txt", "no .*/info/all_audio_video.txt"),
        ("images", "no .*/images: there should be a folder of pictures"),
        ("audio", "no .*/audio: there should be the wav files"),
    ],
)
def test_what_is_missing_is_named(tmp_path, gone, message):
    make(tmp_path / "lrw")
    (tmp_path / "lrw" / gone).rename(tmp_path / "gone")
    with pytest.raises(FileNotFoundError, match=message):
        lrw1000.read(tmp_path / "lrw")


# -- Stage 3: rows of a folder, and pictures of mouths


def test_range_is_a_part_of_the_folder():
    assert picture_span(Utterance("u", "u", video="/images/a[12:37]")) == ("/images/a", 0.48, 1.52)
    assert picture_span(Utterance("u", "u", video="/a[1].mp4", start=1.0, end=2.0)) == ("/a[1].mp4", 1.0, 2.0)
    part = Utterance("u", "u", video="/a[25:74]", start=0.4, end=1.0)
    assert picture_span(part) == ("/a", 1.4, 2.0)
    with pytest.raises(ValueError, match="end before they begin"):
        picture_span(Utterance("u", "u", video="/a[3:2]"))


def write_pictures(folder, num_pictures, size=(40, 60)):
    """Pictures whose brightness is five times their number; the sizes differ."""
    folder.mkdir(parents=True)
    for number in range(1, num_pictures + 1):
        cv2.imwrite(str(folder / f"{number}.jpg"), np.full((size[0] + number % 3, size[1], 3), 5 * number, np.uint8))


def test_range_gives_exactly_its_pictures(tmp_path):
    write_pictures(tmp_path / "a", 20)
    source, start, end = picture_span(Utterance("u", "u", video=f"{tmp_path}/a[9:12]"))
    assert [round(face[40:].mean() / 5) for face in read_mouths(source, start, end, 64)] == [10, 11, 12, 13]
    write_pictures(tmp_path / "b", 12, size=(40, 60))
    for path in (tmp_path / "b").iterdir():  # all of one size, for the reader of videos
        cv2.imwrite(str(path), np.full((40, 60, 3), 5 * int(path.stem), np.uint8))
    source, start, end = picture_span(Utterance("u", "u", video=f"{tmp_path}/b[9:11]"))
    assert [round(frame.mean() / 5) for frame in read_frames(source, 25, start, end)] == [10, 11, 12]


@pytest.mark.parametrize("shape", [(40, 80), (80, 80), (40, 200), (33, 47)])
def test_mouth_fills_the_lower_half_and_keeps_its_proportions(shape):
    height, width = shape
    mouth = np.zeros((height, width, 3), np.uint8)
    y, x = np.mgrid[:height, :width]
    mouth[(x - width / 2) ** 2 + (y - height / 2) ** 2 < (min(height, width) / 5) ** 2] = 255
    face = mouth_as_face(mouth, 96)
    assert face.shape == (96, 96, 3) and not face[:48].any()
    rows, columns = (np.flatnonzero((face[..., 0] > 127).any(axis)) for axis in (1, 0))
    assert abs(len(rows) - len(columns)) <= 3  # a disc stays one
    assert abs(rows.mean() - 71.5) < 1.5 and abs(columns.mean() - 47.5) < 1.5


def dump(tmp_path, utterances, **options):
    write_data_dir(tmp_path / "data", utterances)
    face_dump(str(tmp_path / "data"), str(tmp_path / "org"), face_size=96, **options)
    return combine_parts(tmp_path / "org", [u.utt_id for u in utterances])


def word(tmp_path, name, rows, seconds):
    write_audio(tmp_path / f"{name}.wav", np.random.default_rng(0).normal(0, 0.1, round(16000 * seconds)), 16000)
    return Utterance(f"a-{name}", "a", name, str(tmp_path / f"{name}.wav"), f"{tmp_path}/a[{rows}]")


def test_mouths_are_dumped_without_looking_for_a_face(tmp_path, monkeypatch):
    monkeypatch.setattr("silvertalk.face.prepare.dump.make_backend", lambda name: pytest.fail("a detector was made"))
    write_pictures(tmp_path / "a", 40)
    words = [
        word(tmp_path, "long", "4:19", 0.62),  # 16 pictures, sound for 15 and a half
        word(tmp_path, "short", "0:6", 0.28),
        word(tmp_path, "wide", "30:44", 0.6),
        word(tmp_path, "broken", "20:21", 0.1),
    ]
    (tmp_path / "a/22.jpg").write_bytes(b"")
    count, skipped = dump(tmp_path, words, face_input="mouth")
    assert count == 2 and set(skipped) == {"a-wide", "a-broken"}
    assert "a[30:44]: has 10 of 15 pictures" in skipped["a-wide"] and "22.jpg" in skipped["a-broken"]
    org = tmp_path / "org"
    assert not (org / "landmarks.scp").exists() and not (org / "bbox.scp").exists()
    assert read_scp(org / "utt2num_frames") == {"a-long": "16", "a-short": "7"}
    assert read_scp(org / "source_video.scp")["a-long"] == f"{tmp_path}/a"
    assert read_scp(org / "source_start")["a-long"] == "0.16"
    frames = list(read_frames(read_scp(org / "video.scp")["a-long"]))
    assert [round(frame[60:].mean() / 5) for frame in frames] == list(range(5, 21))
    measure_offsets(org, tmp_path / "sync")
    combine_parts(tmp_path / "sync", read_scp(org / "utt2spk"))
    dropped = sync_filter(org, tmp_path / "sync", tmp_path / "out", "spk", SyncLimits())
    assert dropped == {"a-short": "7 frames, fewer than 10"}
    assert read_scp(tmp_path / "out/audio.scp") == {"a-long": read_scp(org / "audio.scp")["a-long"]}
    assert read_scp(tmp_path / "out/utt2offset") == {"a-long": "0"}
    (clip,) = load_face_clips(tmp_path / "out", MIN_CLIP_FRAMES)
    assert isinstance(clip.mel, str)  # a million of them fill no memory
    in_memory = FaceClip("a", "a", clip.video, 16, kaldiio.load_mat(clip.mel))
    np.testing.assert_array_equal(clip.mel_window(5, 16), in_memory.mel_window(5, 16))
    sample = to_float(SyncNetDataset([clip], 96, seed=0)[0])
    assert sample["face"].shape == (15, 48, 96) and sample["mel"].shape == (1, 80, 16) and sample["face"].min() > 0.05


def test_pictures_beyond_the_sound_are_left_out(tmp_path):
    write_pictures(tmp_path / "a", 40)
    dump(tmp_path, [word(tmp_path, "a", "0:24", 0.8)], face_input="mouth")
    assert read_scp(tmp_path / "org/utt2num_frames") == {"a-a": "20"}


def test_unknown_input_is_refused(tmp_path):
    write_data_dir(tmp_path / "data", [Utterance("a-a", "a", video="/a.mp4")])
    with pytest.raises(ValueError, match="face_input 'lips' is none of video, mouth"):
        face_dump(str(tmp_path / "data"), str(tmp_path / "org"), face_input="lips")


@pytest.mark.parametrize("num_frames", [10, 11, 13, 14, 30])
def test_short_clips_give_two_windows_that_share_no_frame(num_frames):
    clip = FaceClip("a", "a", "", num_frames, np.zeros((num_frames * 4, 80), np.float32))
    dataset = SyncNetDataset([clip], 96, seed=0)
    drawn = [dataset._draw(index)[2:] for index in range(300)]
    assert all(abs(first - other) >= 5 and max(first, other) + 5 <= num_frames for first, other in drawn)
    assert {first for first, _ in drawn} == {n for n in range(num_frames - 4) if n >= 5 or n + 10 <= num_frames}


def test_data_directory_keeps_the_rows(tmp_path):
    write_data_dir(tmp_path, [Utterance("a-1", "a", "x", "/a.wav", "/images/a[3:9]")])
    assert read_data_dir(tmp_path)[0].video == "/images/a[3:9]"
