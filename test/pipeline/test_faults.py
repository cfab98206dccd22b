"""Files as they come: cut off, damaged, mislabelled, oddly stamped.

Whatever comes in, either a whole video comes out, or an error that names the
file; nothing else is left, and nothing takes for ever.
"""

import signal

import av
import cv2
import numpy as np
import pytest

from silvertalk.face import make_backend
from silvertalk.media import VideoWriter, read_audio, read_frames, write_audio
from silvertalk.talker.options import RenderOptions
from silvertalk.wav2lip.lipsync import LipSync

RATE = 16000
OPTIONS = RenderOptions(preset="ultrafast", quality="fast", cache=False)
PATIENCE = 20  # seconds
CONTAINERS = {
    "mp4": ("libx264", "aac"),
    "front.mp4": ("libx264", "aac"),
    "mkv": ("libx264", "aac"),
    "avi": ("mpeg4", "mp3"),
    "mpg": ("mpeg1video", "mp2"),
}
CUTS = (0, 1, 40, 1000, 0.1, 0.5, 0.9, 0.98)  # bytes, or share of the file


@pytest.fixture(scope="module")
def lipsync(grey_engine):
    return LipSync(grey_engine, make_backend("dlib"))


def tone(seconds, rate=44100):
    t = np.arange(round(seconds * rate)) / rate
    return (0.3 * np.sin(2 * np.pi * 300 * t)).astype(np.float32)


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    path = tmp_path_factory.mktemp("sound") / "sound.wav"
    write_audio(path, tone(0.6, RATE), RATE)  # longer than the clips, so these are also played backwards
    return path


def copied(source, target, options=None, later=0.0):
    """Copy a file's packets into another container, with stamps that are later by some seconds."""
    with av.open(str(source)) as given, av.open(str(target), "w", options=options or {}) as made:
        streams = {stream.index: made.add_stream_from_template(stream) for stream in given.streams}
        for packet in given.demux():
            if packet.dts is not None:
                shift = round(later / packet.time_base)
                packet.pts, packet.dts = packet.pts + shift, packet.dts + shift
                packet.stream = streams[packet.stream.index]
                made.mux(packet)
    return target


@pytest.fixture
def clip(make_media, photo, tmp_path_factory):
    """Make a clip of ten frames in a container; returns its bytes."""

    def make(kind):
        folder = tmp_path_factory.mktemp("clip")
        frames = [np.roll(photo, k % 3, axis=1) for k in range(10)]
        video, audio = CONTAINERS[kind]
        suffix = kind.split(".")[-1]
        path = make_media(
            folder / f"clip.{suffix}", [k / 25 for k in range(10)], frames, tone(0.4), 44100, video, audio
        )
        if kind.startswith("front"):
            path = copied(path, folder / f"front.{suffix}", {"movflags": "+faststart"})
        return path.read_bytes()

    return make


def attempt(lipsync, face, sound, folder) -> str | None:
    """Render; returns what is wrong with the file, or None."""

    def too_long(*_):
        pytest.fail(f"{face} takes more than {PATIENCE} s")

    out = folder / "out" / "out.mp4"
    before = signal.signal(signal.SIGALRM, too_long)
    signal.alarm(PATIENCE)
    try:
        result = lipsync.render_file(face, sound, out, OPTIONS)
    except (RuntimeError, ValueError, OSError) as error:
        assert face.name in str(error) or sound.name in str(error), f"{error!r} names no file"
        assert not out.parent.exists() or not list(out.parent.iterdir())
        return str(error)
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
    assert [path.name for path in out.parent.iterdir()] == ["out.mp4"]
    assert sum(1 for _ in read_frames(out, result.fps)) == result.num_frames
    out.unlink()


def damaged(data: bytes, count: int, seed: int) -> bytes:
    """Give bytes of a file other values; half of the time only near its beginning."""
    random = np.random.default_rng(seed)
    array = np.frombuffer(data, np.uint8).copy()
    places = random.integers(0, len(array) if seed % 2 else min(len(array), 3000), count)
    array[places] = random.integers(0, 256, count)
    return array.tobytes()


COUNTS = (1, 1, 2, 3, 5, 8, 12, 20, 35, 60, 100, 200)  # bytes that change


@pytest.mark.parametrize("kind", CONTAINERS)
def test_cut_off_video(lipsync, clip, sound, tmp_path, kind):
    data, path = clip(kind), tmp_path / f"cut.{kind}"
    outcomes = []
    for cut in CUTS:
        path.write_bytes(data[: cut if isinstance(cut, int) else int(cut * len(data))])
        outcomes.append(attempt(lipsync, path, sound, tmp_path))
    assert all("cut" in outcome for outcome in outcomes[:3])
    assert kind == "mp4" or outcomes[-1] is None  # an index at the end is lost, otherwise most frames are there


@pytest.mark.recipe  # seconds
@pytest.mark.parametrize("kind", CONTAINERS)
def test_damaged_video(lipsync, clip, sound, tmp_path, kind):
    data, path = clip(kind), tmp_path / f"damaged.{kind}"
    for seed, count in enumerate(2 * COUNTS):
        path.write_bytes(damaged(data, count, seed))
        attempt(lipsync, path, sound, tmp_path)


@pytest.mark.recipe  # seconds
@pytest.mark.parametrize("kind", ["mp4", "mkv", "avi", "mpg"])
def test_damaged_sound(lipsync, clip, photo, tmp_path, kind):
    cv2.imwrite(str(tmp_path / "face.png"), photo[..., ::-1])
    data, path = clip(kind), tmp_path / f"damaged.{kind}"
    for seed, count in enumerate(2 * COUNTS):
        path.write_bytes(damaged(data, count, seed))
        attempt(lipsync, tmp_path / "face.png", path, tmp_path)


def test_damaged_recording(lipsync, media, sound, tmp_path):
    """The first half second of a clip of GRID's, which is played back and forth."""
    data, path = (media / "grid" / "s1" / "bbaf2n.mpg").read_bytes()[:60_000], tmp_path / "damaged.mpg"
    path.write_bytes(data)
    assert attempt(lipsync, path, sound, tmp_path) is None
    for seed, count in enumerate(COUNTS):
        path.write_bytes(damaged(data, count, seed))
        attempt(lipsync, path, sound, tmp_path)


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.png", "a.mpg"])
@pytest.mark.parametrize("content", [b"", b"This is a text.\n" * 100, bytes(5000)])
def test_what_is_no_video(lipsync, sound, tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    assert name in attempt(lipsync, tmp_path / name, sound, tmp_path)
    assert name in attempt(lipsync, sound, tmp_path / name, tmp_path)


def test_wrong_kind_of_file(lipsync, face_video, sound, tmp_path):
    assert "sound.wav: holds no picture" in attempt(lipsync, sound, sound, tmp_path)
    assert "face.mp4: holds no sound" in attempt(lipsync, face_video, face_video, tmp_path)
    assert "holds no pictures" in attempt(lipsync, sound.parent, sound, tmp_path)
    assert "gone.mp4" in attempt(lipsync, tmp_path / "gone.mp4", sound, tmp_path)
    assert "gone.wav" in attempt(lipsync, face_video, tmp_path / "gone.wav", tmp_path)


def test_wrong_suffix(lipsync, clip, sound, tmp_path):
    (tmp_path / "a.mpg").write_bytes(clip("mp4"))
    assert attempt(lipsync, tmp_path / "a.mpg", sound, tmp_path) is None


def test_cover_art_is_a_photo(lipsync, photo, sound, tmp_path):
    with av.open(str(tmp_path / "song.mp3"), "w") as out:
        music, cover = out.add_stream("mp3", rate=RATE, layout="mono"), out.add_stream("png", rate=25)
        cover.height, cover.width = photo.shape[:2]
        cover.pix_fmt, cover.disposition = "rgb24", av.stream.Disposition.attached_pic
        out.mux(cover.encode(av.VideoFrame.from_ndarray(photo, "rgb24")))
        out.mux(cover.encode(None))
        frame = av.AudioFrame.from_ndarray((32767 * tone(1.0, RATE)).astype(np.int16)[None], "s16", "mono")
        frame.sample_rate = RATE
        out.mux(music.encode(frame))
        out.mux(music.encode(None))
    result = lipsync.render_file(tmp_path / "song.mp3", sound, tmp_path / "o.mp4", OPTIONS)
    assert (result.num_frames, result.fps, result.seconds_without_face) == (15, 25, 0)


def test_older_file_survives(lipsync, clip, sound, tmp_path):
    (tmp_path / "old.mp4").write_text("older")
    (tmp_path / "cut.mp4").write_bytes(clip("mp4")[:5000])
    with pytest.raises(RuntimeError, match="cut.mp4"):
        lipsync.render_file(tmp_path / "cut.mp4", sound, tmp_path / "old.mp4", OPTIONS)
    for name in ("cut.mp4/o.mp4", "out"):
        (tmp_path / "out").mkdir(exist_ok=True)
        (tmp_path / "face.mkv").write_bytes(clip("mkv"))
        with pytest.raises(OSError, match=f"cannot write .*{name}.*another folder"):
            lipsync.render_file(tmp_path / "face.mkv", sound, tmp_path / name, OPTIONS)
    assert (tmp_path / "old.mp4").read_text() == "older"
    assert {path.name for path in tmp_path.iterdir()} == {"old.mp4", "cut.mp4", "face.mkv", "out"}


def test_start_behind_the_end(lipsync, face_video, sound, tmp_path):
    with pytest.raises(RuntimeError, match=r"face.mp4: shows no picture at 2.50 s; it lasts 2.00 s"):
        lipsync.render_file(face_video, sound, tmp_path / "o.mp4", RenderOptions(start=2.5, cache=False))


# Time stamps: the picture flashes, and the sound begins to beep, at these seconds.
CLAPS = (0.48, 1.0, 1.48)


def clapper(photo, times):
    frames = []
    for time in times:
        frame = photo.copy()
        if any(0 <= time - clap + 1e-6 < 0.2 for clap in CLAPS):
            frame[:40, -40:] = 255
        else:
            frame[:40, -40:] = 0
        frames.append(frame)
    t = np.arange(2 * RATE) / RATE
    loud = np.any([(t >= clap) & (t < clap + 0.2) for clap in CLAPS], axis=0)
    return frames, np.where(loud, 0.4 * np.sin(2 * np.pi * 1000 * t), 0)


def beginnings(flags, rate):
    return np.flatnonzero(np.diff(flags.astype(int), prepend=0) == 1) / rate


def check_in_step(lipsync, path, out):
    """Render a clapper with its own sound: two seconds, and flash and beep less than a frame apart."""
    result = lipsync.render_file(path, path, out, OPTIONS)
    assert result.num_frames / result.fps == pytest.approx(2.0, abs=0.05)
    bright = np.array([frame[10:30, -30:-10].mean() > 127 for frame in read_frames(out, result.fps)])
    wav, rate = read_audio(out)
    assert len(bright) == result.num_frames and len(wav) / rate == pytest.approx(len(bright) / result.fps, abs=0.03)
    loud = np.convolve(np.abs(wav) > 0.1, np.ones(rate // 500), "same") > 0
    flashes, beeps = beginnings(bright, result.fps), beginnings(loud, rate)
    assert len(flashes) == len(beeps) == len(CLAPS)
    assert np.abs(flashes - beeps).max() < 1.2 / result.fps


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "ts"])
def test_stamps_that_begin_late(lipsync, make_media, photo, tmp_path, suffix):
    times = [k / 25 for k in range(50)]
    plain = make_media(tmp_path / "plain.mp4", times, *clapper(photo, times), RATE)
    check_in_step(lipsync, copied(plain, tmp_path / f"late.{suffix}", later=3600.0), tmp_path / "out.mp4")


def test_late_sound(lipsync, make_media, photo, tmp_path):
    """The picture begins a quarter of a second before the sound does."""
    times = [k / 25 for k in range(50)]
    frames, wav = clapper(photo, times)
    path = make_media(tmp_path / "late.mp4", [time + 0.25 for time in times], frames, wav, RATE)
    result = lipsync.render_file(path, path, tmp_path / "out.mp4", OPTIONS)
    assert result.num_frames == 50 - 6  # the sound that precedes the picture is not seen


def test_variable_rate(lipsync, make_media, photo, tmp_path):
    steps = np.random.default_rng(0).choice([0.02, 0.033, 0.04, 0.06], 100)
    times = sorted({*np.round(np.cumsum(steps) - steps[0], 3).tolist(), *CLAPS})
    times = [time for time in times if time < 2]
    frames, wav = clapper(photo, times)
    check_in_step(lipsync, make_media(tmp_path / "a.mp4", times, frames, wav, RATE, rate=30), tmp_path / "out.mp4")


def test_every_frame_can_be_entered(media, tmp_path):
    """GRID's MPEG-PS seeks behind the wanted picture, and near the end of a cut file nowhere."""
    path = tmp_path / "cut.mpg"
    path.write_bytes((media / "grid" / "s1" / "bbaf2n.mpg").read_bytes()[:200_000])
    frames = list(read_frames(path))
    assert len(frames) > 30
    for number in range(0, len(frames), 4):
        entered = list(read_frames(path, start=number / 25))
        assert len(entered) == len(frames) - number and (entered[0] == frames[number]).all()


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_entering_a_long_film(make_media, tmp_path, suffix):
    frames = [np.full((16, 16, 3), 30 + k // 10, np.uint8) for k in range(1500)]
    path = make_media(tmp_path / f"long.{suffix}", [float(k) for k in range(1500)], frames, rate=1)
    for second in (0.0, 700.0, 1400.0):
        shown = [frame.mean() for frame in read_frames(path, 1, second, second + 40)]
        assert len(shown) == 40 and abs(shown[0] - 30 - second / 10) < 3


def test_film_of_one_frame(lipsync, photo, sound, tmp_path):
    with VideoWriter(tmp_path / "one.mp4", 25) as out:
        out.write(photo)
    assert attempt(lipsync, tmp_path / "one.mp4", sound, tmp_path) is None
