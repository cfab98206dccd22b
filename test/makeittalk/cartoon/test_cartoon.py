"""Cartoons: a puppet says a sound."""

import json
from types import SimpleNamespace

import av
import cv2
import numpy as np
import pytest
from scipy.signal import savgol_filter

from silvertalk.makeittalk.cartoon.cartoon import Cartoon, CartoonFace
from silvertalk.makeittalk.cartoon.puppet import make_puppet, mean_depth, mean_landmarks
from silvertalk.makeittalk.mouth import paint_mouth
from silvertalk.makeittalk.options import CartoonOptions
from silvertalk.makeittalk.portrait.animate import finish
from silvertalk.media import probe, read_audio, read_frames
from silvertalk.media.sound import Sound

SIZE, RATE = 240, 16000
MOUTH = np.s_[140:172, 95:145]
SKIN = (150, 190, 230)


def drawing(opening: float):
    """A face of one colour, on nothing; its mouth is a line, or open and dark inside."""
    points = mean_landmarks(SIZE, SIZE)
    centre, width = points[48:68].mean(axis=0), np.ptp(points[48:68, 0])
    for first, count, share in ((48, 12, 1.0), (60, 8, 0.8)):
        turn = np.pi - np.arange(count) / count * 2 * np.pi
        height = opening / 2 + (2 if share == 1 else 0)
        points[first : first + count] = centre + np.stack([width / 2 * share * np.cos(turn), -height * np.sin(turn)], 1)
    picture = np.zeros((SIZE, SIZE, 4), np.uint8)
    cv2.fillPoly(picture, [np.rint(points[[*range(17), *range(26, 16, -1)]]).astype(np.int32)], (*SKIN, 255))
    inside = np.rint(points[60:68]).astype(np.int32)
    if opening:
        cv2.fillPoly(picture, [inside], (20, 10, 60, 255))
    else:
        cv2.polylines(picture, [inside], True, (0, 0, 90, 255))
    return picture, points


def puppet(opening: float, **options):
    picture, points = drawing(opening)
    return make_puppet("bob", picture, points, mean_depth(), **options)


class Opening:
    """Stands in for the networks: the mouth opens with the second half of the sound."""

    name = "opening"

    def __init__(self):
        self.asked = []

    def landmarks(self, face, wav, options, *windows):
        self.asked.append((face, windows))
        total = 1 + len(wav) // 256
        moved = np.repeat(face[None], total, 0)
        moved[total // 2 :, [65, 66, 67, 55, 56, 57, 58, 59], 1] += 0.25
        moved = moved.reshape(total, 204).astype(np.float32)
        return finish((moved[k : k + 20] for k in range(0, total, 20)), options, *windows)


def tone(seconds: float) -> Sound:
    wav = 0.5 * np.sin(np.arange(round(seconds * RATE)) / RATE * 2 * np.pi * 440)
    return Sound.from_array(wav.astype(np.float32), RATE)


def dark_pixels(frame) -> int:
    return int((np.asarray(frame).max(axis=2) < 110).sum())


def test_video_is_as_long_as_the_sound_and_the_mouth_opens(tmp_path):
    out, background = tmp_path / "o.mp4", tmp_path / "behind.png"
    stripes = np.zeros((10, 20, 3), np.uint8)
    stripes[:, 10:] = (255, 200, 0)  # BGR
    cv2.imwrite(str(background), stripes)
    motion = Opening()
    options = CartoonOptions(blink=False, background=str(background))
    result = Cartoon(motion).render_sounds(puppet(14), tone(1.03), out, options)
    frames, info = list(read_frames(out)), probe(out)
    assert (result.num_frames, result.fps) == (26, 25) and len(frames) == 26 and info.fps == 25
    wav, rate = read_audio(out)
    assert abs(len(wav) / rate - 1.04) < 0.04 and np.abs(wav).max() > 0.4
    assert dark_pixels(frames[20][MOUTH]) > 1.5 * dark_pixels(frames[3][MOUTH]) > 0
    # Stretched, in the right colours, and at rest.
    assert frames[0][5, 20].max() < 20 and np.abs(frames[25][5, 220].astype(int) - (0, 200, 255)).max() < 12
    assert np.abs(frames[0][:20].astype(int) - frames[25][:20]).max() < 8
    with av.open(str(out)) as container:
        about = json.loads(container.metadata["comment"])
    assert about["synthetic"] is True and (about["model"], about["face"]) == ("opening", "bob")
    assert about["settings"] == {"blink": False, "background": str(background)}


def test_eyes_blink_and_the_mouth_may_rest_closed(tmp_path):
    motion, one = Opening(), puppet(14)

    def pictures(**options):
        take = Cartoon(motion).open(CartoonFace(one), tone(1), CartoonOptions(**options))
        return [frame.rgb() for frame in take.pictures()]

    eyes = np.s_[70:110, 60:180]
    one.picture[68:108, 62:102, :3] = cv2.resize(np.uint8([[0, 255], [255, 0]]), (40, 40))[..., None]
    still, blinking = pictures(blink=False), pictures()
    assert np.abs(still[12][eyes].astype(int) - still[0][eyes]).max() < 3
    assert np.abs(blinking[12][eyes].astype(int) - blinking[0][eyes]).max() > 40  # 30 landmark frames: closed
    pictures(close_mouth=True)
    opening = [np.mean(face[[65, 66, 67], 1] - face[[63, 62, 61], 1]) for face, _ in motion.asked]
    assert opening[0] == opening[1] > 0.01 and abs(opening[2]) < 1e-9


def test_smoothed_as_published(monkeypatch):
    motion, seen = Opening(), []
    face = CartoonFace(puppet(14))
    monkeypatch.setattr(face, "draw", lambda points: seen.append(points) or np.zeros((SIZE, SIZE, 3), np.uint8))
    options = CartoonOptions(blink=False, fps=62.5)
    list(Cartoon(motion).open(face, tone(1.008), options).pictures())
    rows = np.concatenate(list(motion.landmarks(face.puppet.closed, tone(1.008).take_wav(), options, 1, 1)))
    expected = face.puppet.to_pixels(rows[:63])
    expected[:, :48] = savgol_filter(expected[:, :48], 17, 3, axis=0)
    expected[:, 48:] = savgol_filter(expected[:, 48:], 11, 3, axis=0)
    assert np.allclose(seen, expected, atol=1e-3) and np.ptp(rows, axis=0).max() > 0.2


def test_closed_drawing_gets_a_mouth():
    line = puppet(0)
    assert not line.mouth_is_drawn_open and puppet(14).mouth_is_drawn_open
    opened = line.drawn.copy()
    opened[[65, 66, 67], 1] += 24
    opened[[55, 56, 57, 58, 59], 1] += 24

    def mouth(**options):
        return CartoonFace(line, **options).draw(opened)[MOUTH]

    painted, drawn = mouth(), mouth(mouth="drawn")
    white = (painted.min(axis=2) > 225).sum()  # teeth
    assert white > 60 and (drawn.min(axis=2) > 225).sum() == 0
    assert ((painted.max(axis=2) < 90).sum()) > 60
    assert (CartoonFace(line).draw(line.drawn) == CartoonFace(line, mouth="drawn").draw(line.drawn)).all()
    assert not (CartoonFace(puppet(14), mouth="painted").draw(opened) == CartoonFace(puppet(14)).draw(opened)).all()


def test_mouth_outside_the_picture_is_no_obstacle():
    frame = np.zeros((40, 40, 3), np.uint8)
    lip = np.array([[0, 5], [3, 0], [6, 0], [9, 0], [12, 5], [9, 10], [6, 10], [3, 10]], float)
    for shift in ((-6, 0), (-60, 0), (0, -60), (35, 0), (80, 80)):
        paint_mouth(frame, lip + shift)
    assert frame[5, :5].any()


def test_triangles_may_leave_the_outer_lip_out():
    cartoon = Cartoon(Opening())
    seen = [
        cartoon.prepare(one, CartoonOptions(inner_lip=chosen)).puppet.inner_lip
        for one, chosen in ((puppet(14), None), (puppet(14), True), (puppet(14, inner_lip=True), None))
    ]
    assert seen == [False, True, True]


def test_what_cannot_be_rendered(tmp_path):
    cartoon, one = Cartoon(SimpleNamespace(name="x")), puppet(14)
    with pytest.raises(ValueError, match="less than 0.1 s"):
        cartoon.render_sounds(one, tone(0.05), tmp_path / "o.mp4")
    with pytest.raises(FileNotFoundError, match="gone.png"):
        options = CartoonOptions(background=str(tmp_path / "gone.png"))
        cartoon.render_sounds(one, tone(1), tmp_path / "o.mp4", options)
    with pytest.raises(ValueError, match="'loud' is none of auto, drawn, painted"):
        CartoonOptions(mouth="loud")
    assert not list(tmp_path.iterdir())


@pytest.mark.recipe
def test_command_with_networks(tmp_path):
    """Small networks of random weights, in files as a user has them."""
    from silvertalk.bin.silvertalk import main
    from silvertalk.makeittalk.checkpoint import save_checkpoint
    from silvertalk.makeittalk.networks import AutoVC, ContentBranch, SpeakerBranch
    from silvertalk.makeittalk.statistics import mean_face_statistics
    from silvertalk.media import write_audio
    from silvertalk.training.experiment import save_config

    networks = {
        "autovc": AutoVC(pre=16),
        "content": ContentBranch(hidden_size=16),
        "speaker": SpeakerBranch(hidden_size=16, d_model=8, ff_size=16),
    }
    for name, network in networks.items():
        folder = tmp_path / "exp" / f"makeittalk_{name}_x"
        folder.mkdir(parents=True)
        save_checkpoint(folder / "latest.pth", network)
        save_config(folder, {"task": f"makeittalk_{name}", "model": network.options})
    mean_face_statistics(np.zeros(256, np.float32)).save(tmp_path / "exp" / "makeittalk_content_x" / "statistics.npz")
    puppet(14).save(tmp_path / "bob")
    write_audio(tmp_path / "a.wav", tone(1.2).take_wav(), RATE)
    arguments = ["cartoon", "--expdir", str(tmp_path / "exp"), "--puppet", str(tmp_path / "bob")]
    main([*arguments, "--audio", str(tmp_path / "a.wav"), "--out", str(tmp_path / "o.mp4")])
    frames = list(read_frames(tmp_path / "o.mp4"))
    assert len(frames) == 30 and frames[0].shape == (SIZE, SIZE, 3)
    (tmp_path / "bob" / "bob_delauney_tri.txt").write_text("0 1 99\n")
    with pytest.raises(SystemExit, match="bob_delauney_tri.txt:1: 0 1 99 are no vertices"):
        main([*arguments, "--audio", str(tmp_path / "a.wav"), "--out", str(tmp_path / "p.mp4")])
