"""Faces in the published layout become a dump and come out again."""

import cv2
import kaldiio
import numpy as np
import pytest

from silvertalk.bin import preprocessed_export, preprocessed_import
from silvertalk.data import PartWriter, combine_parts, read_scp, validate_data_dir
from silvertalk.data.face_clips import load_face_clips
from silvertalk.face.prepare.preprocessed import export_preprocessed, import_preprocessed, read_filelist
from silvertalk.media import VideoWriter, read_audio, wav2lip_mel, write_audio

RATE = 16000


def picture(number, size=(40, 36)):
    """A face of a size of its own, as bright as its number says: uint8 (H, W, 3)."""
    return np.full((*size, 3), 20 + 2 * number, np.uint8)


def write_clip(root, name, numbers, seconds=None, rate=RATE):
    """Write a clip as the original's preprocess.py does, and return its sound."""
    folder = root / "pre" / name
    folder.mkdir(parents=True)
    for number in numbers:
        cv2.imwrite(str(folder / f"{number}.jpg"), picture(number, (40 + number % 3, 36 + number % 5)))
    seconds = (max(numbers) + 1) / 25 if seconds is None else seconds
    t = np.arange(round(seconds * rate)) / rate
    wav = (0.4 * np.sin(2 * np.pi * (200 + 300 * t) * t)).astype(np.float32)
    write_audio(folder / "audio.wav", wav, rate)
    return read_audio(folder / "audio.wav", RATE)[0]


def write_list(root, lines, name="train"):
    (root / "lists").mkdir(exist_ok=True)
    (root / "lists" / f"{name}.txt").write_text("".join(f"{line}\n" for line in lines))


def take_in(root, **options):
    return import_preprocessed(root / "pre", root / "lists", root / "dump", 32, **options)


def brightness(clip, first, count):
    return clip.pictures(first, count, 32).mean(axis=(1, 2, 3))


def test_a_clip_becomes_an_utterance(tmp_path):
    wav = write_clip(tmp_path, "spk/00001", range(30), rate=44100)
    write_list(tmp_path, ["spk/00001 other columns"])
    assert take_in(tmp_path) == {"tr_no_dev": (1, {})}
    dump = tmp_path / "dump/tr_no_dev"
    (clip,) = load_face_clips(dump, 10)
    assert (clip.utt_id, clip.spk, clip.num_frames, clip.size()) == ("spk-00001", "spk", 30, 32)
    np.testing.assert_allclose(brightness(clip, 0, 30), 20 + 2 * np.arange(30), atol=1.5)
    np.testing.assert_allclose(kaldiio.load_mat(clip.mel), wav2lip_mel(wav).T[:97], atol=1e-3)
    assert len(kaldiio.load_mat(clip.speech)) == 30
    np.testing.assert_allclose(read_audio(read_scp(dump / "audio.scp")["spk-00001"])[0], wav[: 30 * 640], atol=1e-4)


def test_frames_before_and_after_a_gap_are_two_utterances(tmp_path, caplog):
    wav = write_clip(tmp_path, "spk/a", [*range(25), *range(30, 50), 60, 61, 62], seconds=3)
    write_list(tmp_path, ["spk/a"])
    assert take_in(tmp_path, num_jobs=2)["tr_no_dev"] == (2, {})
    assert "3 pictures stand in runs of fewer than 10" in caplog.text
    before, after = load_face_clips(tmp_path / "dump/tr_no_dev", 10)
    assert (before.utt_id, before.num_frames) == ("spk-a-000000", 25)
    assert (after.utt_id, after.num_frames) == ("spk-a-000030", 20)
    np.testing.assert_allclose(brightness(after, 0, 20), 20 + 2 * np.arange(30, 50), atol=1.5)
    sound = read_audio(read_scp(tmp_path / "dump/tr_no_dev/audio.scp")[after.utt_id])[0]
    np.testing.assert_allclose(sound, wav[30 * 640 : 50 * 640], atol=1e-4)


def test_pictures_beyond_the_sound_are_left_out(tmp_path):
    write_clip(tmp_path, "spk/a", range(40), seconds=0.8)
    write_list(tmp_path, ["spk/a"])
    take_in(tmp_path)
    assert load_face_clips(tmp_path / "dump/tr_no_dev", 10)[0].num_frames == 20


def test_missing_clips_are_named_and_nothing_is_written(tmp_path):
    write_clip(tmp_path, "spk/a", range(12))
    write_list(tmp_path, ["spk/a"], "train")
    write_list(tmp_path, ["spk/a", "", "spk/b", "x/c"], "val")
    message = r"lists/val.txt: 2 of 3 clips are not in .*/pre \(line 3: spk/b, line 4: x/c\); .* --skip_missing"
    with pytest.raises(FileNotFoundError, match=message):
        take_in(tmp_path)
    assert not (tmp_path / "dump").exists()
    done = take_in(tmp_path, skip_missing=True, max_skipped=0.7)
    assert done["tr_no_dev"] == (1, {}) and done["dev"][0] == 1 and set(done["dev"][1]) == {"spk-b", "x-c"}


def test_bad_clips_are_listed_with_reasons(tmp_path):
    for name in ("good", "short", "silent", "broken", "half", "brief"):
        write_clip(tmp_path, f"s/{name}", range(3 if name == "short" else 12), 0.3 if name == "brief" else None)
    (tmp_path / "pre/s/silent/audio.wav").unlink()
    (tmp_path / "pre/s/broken/7.jpg").write_bytes(b"no picture")
    half = tmp_path / "pre/s/half/5.jpg"
    half.write_bytes(half.read_bytes()[:-300])
    write_list(tmp_path, [f"s/{name}" for name in ("good", "short", "silent", "broken", "half", "brief")])
    with pytest.raises(RuntimeError, match="5 of 6 utterances were skipped"):
        take_in(tmp_path)
    lines = (tmp_path / "dump/tr_no_dev/skipped.tsv").read_text().splitlines()
    reasons = dict(line.split("\t") for line in lines)
    assert "has 3 pictures in a row, fewer than 10" in reasons["s-short"]
    assert "silent/audio.wav; extract it" in reasons["s-silent"]
    assert "broken/7.jpg: is no whole JPEG" in reasons["s-broken"]
    assert "half/5.jpg: is no whole JPEG" in reasons["s-half"]
    assert "brief/audio.wav: ends at frame 8" in reasons["s-brief"]
    assert not list((tmp_path / "dump").rglob("*broken*")) and not list((tmp_path / "dump").rglob("*.tmp*"))
    assert take_in(tmp_path, max_skipped=0.9)["tr_no_dev"][0] == 1


def test_trees_and_lists_without_anything_are_errors(tmp_path):
    with pytest.raises(FileNotFoundError, match="no folder .*/pre; name what"):
        take_in(tmp_path)
    (tmp_path / "pre").mkdir()
    with pytest.raises(FileNotFoundError, match=r"no .*lists/\*.txt; write train.txt"):
        take_in(tmp_path)
    write_list(tmp_path, [" "])
    with pytest.raises(ValueError, match="train.txt: lists no clip"):
        take_in(tmp_path)
    write_list(tmp_path, ["a/b"])
    (tmp_path / "pre/a/b").mkdir(parents=True)
    with pytest.raises(RuntimeError, match="1 of 1 utterances were skipped .*has 0 pictures"):
        take_in(tmp_path)


@pytest.mark.parametrize("line", ["/abs/x", "../x/y", "x"])
def test_lines_that_name_no_clip_of_the_root_are_refused(tmp_path, line):
    write_list(tmp_path, ["a/b", line])
    with pytest.raises(ValueError, match=rf"train.txt:2: '{line}' is not of the form"):
        read_filelist(tmp_path / "lists/train.txt")


def test_names_that_cannot_be_told_apart_are_refused(tmp_path):
    for name in ("a-b/c", "a/b-c", "a/x"):
        write_clip(tmp_path, name, range(12))
    write_list(tmp_path, ["a-b/c", "a/b-c"])
    with pytest.raises(ValueError, match="a-b/c and a/b-c would both be a-b-c"):
        take_in(tmp_path)
    write_clip(tmp_path, "a/a", range(12))
    write_list(tmp_path, ["a-b/c", "a/x", "a/a"])
    with pytest.raises(ValueError, match="clips of a and of 'a-...' would be mixed"):
        take_in(tmp_path)


def test_an_import_goes_on_where_it_was(tmp_path, monkeypatch):
    for name in ("a", "b"):
        write_clip(tmp_path, f"s/{name}", range(12))
    write_list(tmp_path, ["s/a"])
    take_in(tmp_path)
    written = (tmp_path / "dump/tr_no_dev/video/s/s-a.avi").stat().st_mtime_ns
    write_list(tmp_path, ["s/a", "s/b"])
    assert take_in(tmp_path)["tr_no_dev"] == (2, {})
    assert (tmp_path / "dump/tr_no_dev/video/s/s-a.avi").stat().st_mtime_ns == written
    with pytest.raises(ValueError, match="was begun from .* 32 pixels, not .* 48 pixels; remove that folder"):
        import_preprocessed(tmp_path / "pre", tmp_path / "lists", tmp_path / "dump", 48)


@pytest.fixture
def dump(tmp_path):
    """Two sets of a dump as stages 3 and 4 write them; in one clip a face is not to be seen in three frames."""
    random = np.random.default_rng(0)
    for name, count in (("tr_no_dev", 2), ("dev", 1)):
        folder = tmp_path / "face" / name
        with PartWriter(folder, 1) as out:
            for number in range(count):
                utt_id = f"spk-{name}{number}"
                paths = folder / f"{utt_id}.avi", folder / f"{utt_id}.flac"
                with VideoWriter(paths[0], 25, codec="mjpeg", quality=2) as video:
                    for _ in range(30):
                        video.write(cv2.resize(random.integers(0, 255, (4, 4, 3), np.uint8), (32, 32)))
                write_audio(paths[1], random.normal(0, 0.1, 30 * 640).astype(np.float32), RATE)
                state = np.zeros(30, np.uint8)
                state[12:15] = number
                out.add(
                    utt_id,
                    {"mel": wav2lip_mel(read_audio(paths[1])[0]).T, "face_state": state},
                    {"video.scp": paths[0], "audio.scp": paths[1], "utt2num_frames": 30, "utt2spk": "spk"},
                )
        combine_parts(folder, [f"spk-{name}{number}" for number in range(count)])
    return tmp_path / "face"


def test_round_trip(dump, tmp_path, capsys):
    arguments = [f"--preprocessed_root={tmp_path}/pre", f"--filelists={tmp_path}/lists"]
    preprocessed_export.main([f"--face_dir={dump}", *arguments, "--num_jobs=2"])
    assert (tmp_path / "lists/train.txt").read_text() == "spk/tr_no_dev0\nspk/tr_no_dev1\n"
    assert (tmp_path / "lists/val.txt").read_text() == "spk/dev0\n" and "val.txt: 1 clips" in capsys.readouterr().err
    assert not (tmp_path / "pre/spk/tr_no_dev1/13.jpg").exists()  # as where the original finds no face
    preprocessed_import.main([*arguments, f"--out_dir={tmp_path}/back", "--face_size=32"])
    assert "tr_no_dev: 3 utterances, 0 skipped" in capsys.readouterr().err
    validate_data_dir(tmp_path / "back/tr_no_dev")
    for name in ("tr_no_dev", "dev"):
        was = load_face_clips(dump / name, 10)[0]
        (now,) = (clip for clip in load_face_clips(tmp_path / "back" / name, 10) if clip.utt_id == was.utt_id)
        np.testing.assert_allclose(kaldiio.load_mat(now.mel), kaldiio.load_mat(was.mel), atol=1e-5)
        error = np.abs(now.pictures(0, 30, 32).astype(int) - was.pictures(0, 30, 32))
        assert error.mean() < 2


def test_exported_pictures_are_those_of_the_dump(dump, tmp_path):
    counts = export_preprocessed(dump, tmp_path / "pre", tmp_path / "lists")
    assert counts == {"train": 2, "val": 1}
    clip = load_face_clips(dump / "dev", 10)[0]
    exported = np.stack([cv2.imread(str(tmp_path / f"pre/spk/dev0/{k}.jpg")) for k in range(30)])
    np.testing.assert_array_equal(exported, clip.pictures(0, 30, 32))
    wav, rate = read_audio(tmp_path / "pre/spk/dev0/audio.wav")
    assert rate == RATE and len(wav) == 30 * 640
    with pytest.raises(FileNotFoundError, match="stages 3 and 4"):
        export_preprocessed(tmp_path / "lists", tmp_path / "pre", tmp_path / "lists")


def test_an_export_goes_on_where_it_was(dump, tmp_path):
    export_preprocessed(dump, tmp_path / "pre", tmp_path / "lists")
    marked = tmp_path / "pre/spk/dev0/0.jpg"
    marked.write_bytes(b"done before")
    for name in ("tr_no_dev0", "tr_no_dev1"):
        for path in (tmp_path / "pre/spk" / name).iterdir():
            path.unlink()
        (tmp_path / "pre/spk" / name).rmdir()
    export_preprocessed(dump, tmp_path / "pre", tmp_path / "lists")
    assert marked.read_bytes() == b"done before" and (tmp_path / "pre/spk/tr_no_dev1/audio.wav").is_file()
