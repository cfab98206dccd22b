"""Any two folders, the list protocol and the real-video protocol, with the patch faces of test_score_lips."""

import importlib.util
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from silvertalk.evaluate import protocols, score_folders, score_lips
from silvertalk.evaluate.clip import Networks
from silvertalk.evaluate.protocols import PairScoring, TrackScoring, read_pairs, render_pairs
from silvertalk.evaluate.score_folders import FolderScoring, find_clips, label_folders, run_scoring
from silvertalk.evaluate.tables import column, merge_scores
from silvertalk.media import VideoWriter, read_frames, write_audio

spec = importlib.util.spec_from_file_location("clips", Path(__file__).with_name("test_score_lips.py"))
clips = importlib.util.module_from_spec(spec)
spec.loader.exec_module(clips)
LENGTH, syllables = 50, clips.faces.syllables
LATE = 5  # frames


@pytest.fixture(autouse=True)
def _patch_faces(monkeypatch):
    """Every scoring finds the patch faces, and needs no network."""
    tools = (clips.PatchBackend(), Networks())
    monkeypatch.setattr(score_folders.Scoring, "tools", lambda self: tools)


def write(path, gap, wav):
    path.parent.mkdir(parents=True, exist_ok=True)
    clips.write_clip(path, gap, wav)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Two real clips, and systems that copy them, that are late, and whose mouth is still."""
    folder = tmp_path_factory.mktemp("videos")
    for n, name in enumerate(("a", "b")):
        gap = syllables(LENGTH, n)
        wav = clips.sound(gap, n)
        late = np.concatenate([np.zeros(640 * LATE, np.float32), wav])[: len(wav)]
        write(folder / "real" / f"{name}.mp4", gap, wav)
        write(folder / "late" / f"{name}.mp4", gap, late)
        write(folder / "still" / f"{name}.mp4", np.full(LENGTH, 6.0), wav)
    shutil.copytree(folder / "real", folder / "same")
    return folder


@pytest.fixture
def folders(made, tmp_path):
    """A copy of ``made`` that a test may change."""
    return Path(shutil.copytree(made, tmp_path / "videos"))


def scoring(folder, *systems, **more):
    return FolderScoring(
        real=str(folder / "real"),
        generated=[str(folder / system) for system in systems],
        out_dir=str(folder / "scores"),
        **more,
    )


def table(folder):
    return merge_scores(folder / "scores", "lips")


def only(rows, kind, name):
    """Mean of a figure."""
    return float(np.mean(list(column(rows, kind, name).values())))


def test_systems_get_what_they_deserve(folders):
    (folders / "late" / "b.mp4").rename(folders / "late" / "c.mp4")
    page = run_scoring(scoring(folders, "same", "late", "still"))
    rows = table(folders)
    assert only(rows, "same", "lip_correlation") == pytest.approx(1)
    assert only(rows, "same", "landmark_distance") == pytest.approx(0, abs=1e-6)
    assert only(rows, "same", "psnr") == 100
    assert only(rows, "same", "ssim") == only(rows, "same", "sharpness") == only(rows, "same", "articulation") == 1
    for kind, offset in (("real", 0), ("same", 0), ("late", LATE)):
        assert only(rows, kind, "sound_offset") == pytest.approx(offset, abs=1)
    assert only(rows, "late", "sound_offset") - only(rows, "same", "sound_offset") >= LATE - 1
    assert only(rows, "still", "lip_correlation") < 0.3
    assert only(rows, "still", "articulation") < 0.1
    assert "late: 1 of 2 real clips, 1 missing, 1 extra" in page
    assert (folders / "scores" / "unmatched.tsv").read_text() == "late\tmissing\tb\nlate\textra\tc\n"
    assert "| real videos |" in page and "| still |" in page and (folders / "scores" / "offset.png").is_file()
    assert page == (folders / "scores" / "scores.md").read_text()


def test_sound_in_the_file_is_in_time_as_the_wav_beside_it(folders):
    """AAC's priming shifts nothing."""
    own = folders / "beside"
    for n, name in enumerate(("a", "b")):
        gap = syllables(LENGTH, n)
        write(own / f"{name}.mp4", gap, np.zeros(LENGTH * 640, np.float32))
        write_audio(own / f"{name}.wav", clips.sound(gap, n), 16000)
    run_scoring(scoring(folders, "same", "beside"))
    in_file, beside = (column(table(folders), kind, "sound_correlation") for kind in ("same", "beside"))
    for name, value in in_file.items():
        assert value == pytest.approx(beside[name], abs=0.03)


def test_resumes_and_notices_changes(folders, monkeypatch):
    run_scoring(scoring(folders, "same"))
    with monkeypatch.context() as patch:
        patch.setattr(score_lips.LipScorer, "generated", None)
        run_scoring(scoring(folders, "same"))  # nothing is scored twice
        shutil.copy(folders / "still" / "a.mp4", folders / "same" / "a.mp4")
        with pytest.raises(TypeError):
            run_scoring(scoring(folders, "same"))
    run_scoring(scoring(folders, "same"))
    scores = column(table(folders), "same", "lip_correlation")
    assert scores["a"] < 0.3 and scores["b"] == pytest.approx(1)


def test_a_damaged_clip_is_named_and_the_others_are_scored(folders):
    (folders / "same" / "a.mp4").write_bytes(b"\0" * 100)
    page = run_scoring(scoring(folders, "same"))
    assert "Not scored: 1" in page and "same/a.mp4" in page
    assert list(column(table(folders), "same", "lip_correlation")) == ["b"]


def test_pictures_and_nested_folders_are_clips(folders):
    target = folders / "pictures" / "deep one" / "a"
    target.mkdir(parents=True)
    for n, frame in enumerate(read_frames(folders / "real" / "a.mp4")):
        cv2.imwrite(str(target / f"{n}.png"), frame[..., ::-1])
    write_audio(target.with_name("a.wav"), clips.sound(syllables(LENGTH, 0), 0), 16000)
    (folders / "pictures" / ".a.1.tmp.mp4").touch()
    found = find_clips(folders / "pictures")
    assert list(found) == ["deep_one/a"]
    assert (found["deep_one/a"].path, found["deep_one/a"].sound) == (target, target.with_name("a.wav"))
    (folders / "pictures" / "deep one").rename(folders / "flat")
    run_scoring(scoring(folders, "flat"))
    assert only(table(folders), "flat", "psnr") == 100


def test_bad_folders_are_named(folders):
    with pytest.raises(FileNotFoundError, match="no folder"):
        run_scoring(scoring(folders, "nothing"))
    (folders / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match="holds no videos"):
        run_scoring(scoring(folders, "empty"))
    write(folders / "other" / "z.mp4", np.zeros(5), np.zeros(3200, np.float32))
    with pytest.raises(ValueError, match="no clip of other has the name"):
        run_scoring(scoring(folders, "other"))
    shutil.copy(folders / "other" / "z.mp4", folders / "other" / "z.avi")
    with pytest.raises(ValueError, match="one name"):
        find_clips(folders / "other")


def test_folders_are_told_apart():
    assert list(label_folders(["/x/a/out", "/x/b/out", "/x/real"])) == ["out", "b_out", "x_real"]
    with pytest.raises(ValueError, match="given twice"):
        label_folders(["/x/a", "/x/a", "/x/a"])


@pytest.mark.long
def test_several_processes(face_video, tmp_path, monkeypatch):
    monkeypatch.undo()
    for system in ("real", "copy"):
        (tmp_path / system).mkdir()
        for name in ("a", "b", "c"):
            frames = list(read_frames(face_video))
            with VideoWriter(tmp_path / system / f"{name}.mp4", 25, 0.1 * np.random.randn(32000), 16000) as out:
                for frame in frames:
                    out.write(frame)
    run_scoring(scoring(tmp_path, "copy"), jobs=2)
    assert len(column(table(tmp_path), "copy", "frames")) == 3


@pytest.fixture
def corpus(folders):
    """A list: a's sound on b's face, and the reverse."""
    path = folders / "pairs.txt"
    path.write_text("a b\nb.mp4 a\n")
    return path


def test_pairs_are_scored_with_the_sound_of_the_list(folders, corpus):
    for number, n in enumerate((0, 1)):  # a system that does what the sound says, and muxed something else
        write(folders / "results" / f"{number}.mp4", syllables(LENGTH, n), np.zeros(LENGTH * 640, np.float32))
    run_scoring(
        PairScoring(
            pairs=str(corpus),
            data_root=str(folders / "real"),
            results=str(folders / "results"),
            out_dir=str(folders / "scores"),
        )
    )
    rows = table(folders)
    assert set(column(rows, "generated", "sound_correlation")) == {"0", "1"}
    assert min(column(rows, "generated", "sound_correlation").values()) > 0.5
    # The other clip is another's mouth, so nothing is compared with it.
    assert not column(rows, "generated", "lip_correlation")
    assert min(column(rows, "real", "sound_correlation").values()) > 0.5


def test_bad_lists_are_named_by_line(folders, corpus):
    corpus.write_text("a b\nx a\n")
    with pytest.raises(FileNotFoundError, match=r"pairs.txt:2: no .*x"):
        read_pairs(corpus, folders / "real")
    corpus.write_text("a b c\n")
    with pytest.raises(ValueError, match="pairs.txt:1"):
        read_pairs(corpus, folders / "real")
    corpus.write_text("")
    with pytest.raises(ValueError, match="empty"):
        read_pairs(corpus, folders / "real")
    with pytest.raises(FileNotFoundError, match="no list"):
        read_pairs(folders / "nothing", folders)


def test_pairs_are_rendered_without_loss(grey_engine, face_video, tmp_path):
    from silvertalk.face import make_backend
    from silvertalk.wav2lip.lipsync import LipSync

    write_audio(tmp_path / "long.wav", np.random.default_rng(0).normal(size=60000) / 20, 16000)
    pair = protocols.Pair(tmp_path / "long.wav", face_video)
    render_pairs(
        {"0": pair, "1": protocols.Pair(tmp_path / "no.wav", face_video)},
        LipSync(grey_engine, make_backend("dlib")),
        LipSync.options(),
        tmp_path / "out",
    )
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["0.mp4"]
    made, filmed = (np.stack(list(read_frames(path))) for path in (tmp_path / "out" / "0.mp4", face_video))
    assert made.shape == filmed.shape  # as long as the face
    assert (made[:, :20] == filmed[:, :20]).all()


def test_every_long_face_track_is_a_row(folders):
    gap = syllables(110, 4)
    write(folders / "long" / "x.mp4", gap, clips.sound(gap, 4))
    tracks = protocols.face_tracks(folders / "long" / "x.mp4", clips.PatchBackend())
    assert [(first, len(track)) for first, track in tracks] == [(0, 110)]
    page = run_scoring(
        TrackScoring(real=str(folders / "real"), generated=[str(folders / "long")], out_dir=str(folders / "scores"))
    )
    rows = table(folders)
    assert column(rows, "long", "frames") == {"x#0": 110.0}
    assert "more than 100 frames" in rows[-1]["note"] and "Not scored: 2" in page


def test_commands_refuse_what_does_not_fit(folders, corpus):
    from silvertalk.bin import score_pairs, score_tracks, silvertalk

    commands = {
        "no --generated": (silvertalk, ["score", f"--real={folders}/real"]),
        "jobs 0": (silvertalk, ["score", f"--real={folders}/real", f"--generated={folders}/same", "--jobs=0"]),
        "run stage 10": (score_pairs, [f"--pairs={corpus}", f"--data_root={folders}/real", f"--out={folders}/x"]),
        "no folder": (score_tracks, [f"--real={folders}/nothing", f"--out={folders}/x"]),
    }
    for said, (program, arguments) in commands.items():
        with pytest.raises(SystemExit, match=said):
            program.main(arguments)


def test_the_command_scores(folders, capsys):
    from silvertalk.bin import silvertalk

    systems = [str(folders / system) for system in ("same", "late")]
    silvertalk.main(["score", f"--real={folders}/real", "--generated", *systems, f"--out={folders}/scores"])
    assert "| late |" in capsys.readouterr().out
