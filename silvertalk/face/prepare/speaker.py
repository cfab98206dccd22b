"""Find who speaks where several faces are to be seen, and the part of an utterance that can be learnt from.

A speaker's lips move with the sound. How surely they do is judged by the
correlation of mouth opening and sound energy at its best lag, where distant
lags count for less (recordings are seldom far out of step), on Fisher's scale:
atanh(r) times the square root of the number of frames, so that a long part with
some correlation outweighs a short one where it is high by chance. Of two clips
of GRID, whose sentences all have one rhythm, that tells in 84 % which one
belongs to a sound of 3 s; without a price of the lag in 71 %.
"""

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np

from silvertalk.face.lips import MAX_LAG, lag_correlation, lip_opening
from silvertalk.face.select import largest
from silvertalk.face.track import (
    LOST_FOR_GOOD,
    CutDetector,
    Seen,
    Track,
    in_profile,
    look_at,
    make_track,
    nearest_within_reach,
    shots,
    track_video,
)
from silvertalk.media import read_pictures
from silvertalk.media.speech import runs_of
from silvertalk.media.timing import FPS

# Codes of a frame in the archive face_state.
USABLE, NO_FACE, PROFILE, COVERED = range(4)
# Share of the looked-at frames with several faces from which on one is chosen; a detector errs in a few.
SEVERAL = 0.2
LAG_PRICE = 0.04  # of correlation, for each frame by which the sound would be late or early
SHORTEST_TRACK = 10  # frames; less is an error of the detector
LONGEST_PAUSE = 1.0  # seconds without a usable face that do not part an utterance
Energy = Callable[[], np.ndarray]  # computed where it is needed only
SAME_PLACE = 0.25  # widths of the face by which it may have moved during a black-out


def track_speaker(source: str, backend, energy: Energy, fps: float = FPS, **span) -> Track:
    """Track the face that speaks; of a single one, whatever it does.

    Args:
        source: Video or folder of pictures.
        backend: Finds faces and landmarks.
        energy: Gives the loudness of the sound during every frame (T,), see ``frame_energy``.
        fps: Frames per second of the track.
        **span: ``start`` and ``end`` in seconds.

    Raises:
        NoFaceError: No frame shows a face the backend finds.
    """
    counting = _Counting(backend)
    track = track_video(source, counting, fps, largest, **span)
    if counting.several < SEVERAL * counting.looks:
        return track
    faces = [
        face for face in follow_faces(read_pictures(source, fps, **span), backend) if len(face.seen) >= SHORTEST_TRACK
    ]
    if not faces:
        return track
    seen = [Seen(shot) for shot in track.shot]
    for shot in sorted({face.shot for face in faces}):
        rivals = [face for face in faces if face.shot == shot]
        best = max(rivals, key=lambda face: _evidence_of(face, energy(), fps))
        seen[best.first : best.first + len(best.seen)] = best.seen
    logging.info("%s: %d faces, those that move with the sound are kept", source, len(faces))
    return make_track(seen, fps)


@dataclass
class Face:
    """One face through part of a shot."""

    shot: int  # number of the shot
    first: int  # frame in which it appears
    seen: list[Seen] = field(default_factory=list)  # one for each frame from there on
    box: np.ndarray | None = None  # where it was seen last
    missed: int = 0  # frames since then


def follow_faces(frames, backend) -> Iterator[Face]:
    """Follow every face of a stream of frames; each is given out when it has gone.

    Args:
        frames: Pictures, or uint8 RGB (H, W, 3).
        backend: Finds faces and landmarks.
    """
    live: list[Face] = []
    is_cut, shot = CutDetector(), 0
    for number, frame in enumerate(frames):
        if is_cut(frame):
            yield from (_trimmed(face) for face in live)
            live, shot = [], shot + 1
        boxes = backend.detect(backend.view(frame))
        for face in live:
            index = nearest_within_reach(boxes, face.box, face.missed)
            if index is None:
                face.missed += 1
                face.seen.append(Seen(shot))
            else:
                face.missed, face.box = 0, boxes[index]
                face.seen.append(look_at(frame, face.box, backend, shot))
                boxes = np.delete(boxes, index, axis=0)
        live += [Face(shot, number, [look_at(frame, box, backend, shot)], box) for box in boxes]
        yield from (_trimmed(face) for face in live if face.missed >= LOST_FOR_GOOD)
        live = [face for face in live if face.missed < LOST_FOR_GOOD]
    yield from (_trimmed(face) for face in live)


def _trimmed(face: Face) -> Face:
    """Without the frames behind the last in which it was seen."""
    del face.seen[len(face.seen) - face.missed :]
    return face


def _evidence_of(face: Face, energy: np.ndarray, fps: float) -> float:
    """How surely a face speaks; see ``evidence``."""
    track = make_track(face.seen, fps)
    return evidence(track.landmarks, track.bbox, energy[face.first : face.first + len(track)])


def evidence(landmarks: np.ndarray, bbox: np.ndarray, energy: np.ndarray) -> float:
    """How surely lips move with the sound, at about the same time.

    Args:
        landmarks: (T, 68, 2 or 3), pixels.
        bbox: (T, 4) from ``stable_boxes``.
        energy: Loudness during every frame, (T,); missing frames at the end are left out.

    Returns:
        Standard deviations by which the best correlation exceeds 0; 0 where fewer than ten frames can be compared.
    """
    length = min(len(bbox), len(energy))
    if length < 10:
        return 0.0
    curve = lag_correlation(lip_opening(landmarks[:length], bbox[:length]), energy[:length], MAX_LAG)
    best = (curve - LAG_PRICE * np.abs(np.arange(-MAX_LAG, MAX_LAG + 1))).max()
    return float(np.arctanh(np.clip(best, -0.999, 0.999)) * np.sqrt(length - 3))


class _Counting:
    """A backend that counts in how many of the frames it looked at there were several faces."""

    def __init__(self, backend):
        self._backend = backend
        self.view, self.landmarks = backend.view, backend.landmarks
        self.looks = self.several = 0

    def detect(self, view: np.ndarray) -> np.ndarray:
        boxes = self._backend.detect(view)
        self.looks, self.several = self.looks + 1, self.several + (len(boxes) > 1)
        return boxes


def face_state(track: Track) -> np.ndarray:
    """Say of every frame whether a face can be learnt from: uint8 (T,) of USABLE, NO_FACE, PROFILE, COVERED."""
    state = np.full(len(track), USABLE, np.uint8)
    state[in_profile(track.landmarks)] = PROFILE
    state[track.covered] = COVERED
    state[~track.detected] = NO_FACE
    return state


def usable_parts(track: Track, fps: float = FPS) -> list[slice]:
    """List the parts of a track that show one face without a cut and without a long pause.

    Up to a second without a usable face parts nothing, nor does a black-out or
    damage after which the face is where it was; at the ends it is kept too.

    Raises:
        ValueError: There is none.
    """
    usable, longest = face_state(track) == USABLE, round(LONGEST_PAUSE * fps)
    runs = [(a + part.start, b + part.start) for part in shots(track.shot) for a, b in runs_of(usable[part])]
    if not runs:
        raise ValueError("the face is never seen from the front; use footage that shows it")
    parts = [list(runs[0])]
    for first, last in runs[1:]:
        before = parts[-1][1] - 1
        if 0 < first - before - 1 <= longest and _same_scene(track, before, first):
            parts[-1][1] = last
        else:
            parts.append([first, last])
    if parts[0][0] <= longest:
        parts[0][0] = 0
    if len(track) - parts[-1][1] <= longest:
        parts[-1][1] = len(track)
    return [slice(first, last) for first, last in parts]


def _same_scene(track: Track, before: int, after: int) -> bool:
    """Whether two frames with others between them belong together."""
    width = track.bbox[before, 2] - track.bbox[before, 0]
    near = np.abs(track.bbox[after] - track.bbox[before]).max() < SAME_PLACE * width
    return bool(track.shot[before] == track.shot[after] or near)


def best_part(track: Track, energy: Energy, fps: float = FPS) -> slice:
    """Choose the part of a track in which the face most surely speaks; the longest where none does.

    Args:
        track: The face.
        energy: Gives the loudness of the sound during every frame (T,).
        fps: Frames per second.

    Raises:
        ValueError: There is no part with a usable face.
    """
    parts = usable_parts(track, fps)
    if len(parts) == 1:
        return parts[0]

    def rank(part: slice) -> tuple[float, int]:
        return evidence(track.landmarks[part], track.bbox[part], energy()[part]), part.stop - part.start

    return max(parts, key=rank)
