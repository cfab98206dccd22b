"""A film whose lips are drawn anew: all of it that no lip model has for itself.

Frames flow from the decoder through the model and the blending to the
encoder, each in a thread of its own with a bounded queue between, so memory
does not grow with length. All but the mouth stays as the decoder gave it.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np

from silvertalk.face.blend import NewFace, blend, match_colour
from silvertalk.face.lips import lip_opening
from silvertalk.face.mask import lip_mask, mask_points, mouth_mask, rectangle_mask
from silvertalk.face.source import FaceSource
from silvertalk.face.track import Track, drawn_weight, seconds_apart
from silvertalk.media import Picture
from silvertalk.media.picture import even_box
from silvertalk.media.sound import Heard, Sound, heard_together
from silvertalk.media.speech import drive_sound
from silvertalk.talker.base import CHOSEN, Take, Talker
from silvertalk.talker.options import RenderOptions
from silvertalk.talker.playback import play, playing_order
from silvertalk.utils.background import in_background

# The reference shows a nearly closed mouth, but not the extreme frame, which may be a blink of the tracker.
REFERENCE_QUANTILE = 0.1
DECODED_AHEAD = 8  # frames
BATCHES_AHEAD = 1
RESTORED_SIZE = 512  # pixels, what restoration networks take


@dataclass
class Face:
    """A face of a film."""

    source: FaceSource
    track: Track
    weight: np.ndarray  # (T,) from drawn_weight
    points: np.ndarray  # (T, 68, 2) from mask_points
    references: References


@dataclass
class Film:
    """A film with the faces that speak in it, kept ready for any number of takes."""

    source: FaceSource  # of the first face
    faces: dict[str, Face]  # by how they are chosen
    restorer: Any  # ``face.restore.enhance.Enhancer``, or None
    parser: Any  # ``face.restore.parsing.FaceParser``, or None


@dataclass
class Task:
    """One face of one frame on its way through the model."""

    face: Face
    source_number: int  # frame of the film
    box: tuple[int, int, int, int]
    filmed: np.ndarray  # uint8 RGB (S, S, 3)
    reference: np.ndarray  # likewise, of a calm frame of the same shot
    sound: object  # what the model hears at this frame


class LipTalker(Talker):
    """Draws lips on films; a model says what it hears and draws faces.

    Attributes:
        img_size: Side of the faces that the model draws (pixels).
        batch_size: Most faces that it draws at a time.
        device: Where it runs; restoration runs there, too.
        backend: Face backend, or its name.
    """

    note = "The lips of this video are synthetic: a machine made them say this sound."
    options = RenderOptions
    img_size: int
    batch_size: int
    device: str
    backend: object

    @abstractmethod
    def listen(self, wav: np.ndarray, num_frames: int, fps: float) -> Sequence:
        """What the model hears at each frame of a 16 kHz sound, (T,) in [-1, 1]."""

    @abstractmethod
    def draw(self, tasks: list[Task]) -> Iterator[np.ndarray]:
        """Draw the faces of at most ``batch_size`` tasks: RGB (S, S, 3), 0-255."""

    def prepare(
        self,
        face,
        options: RenderOptions | None = None,
        seconds: float | None = None,
        choices: Sequence[str] = (CHOSEN,),
    ) -> Film:
        """Find and follow the faces of a film; see ``Talker.prepare``.

        Args:
            face: Video, photo, folder of pictures or avatar.
            options: How it will be rendered.
            seconds: How much of it will be shown; None: all.
            choices: Faces, see ``RenderOptions.select``.

        Raises:
            NoFaceError: A chosen face is not there.
        """
        options = options or RenderOptions()
        restorer, parser = _make_restorer(options, self.device), _make_parser(options)
        faces = {choice: self._find(face, choice or options.select, options, seconds) for choice in choices}
        return Film(next(iter(faces.values())).source, faces, restorer, parser)

    def frame_rate(self, face: Film, options: RenderOptions) -> float:
        """See ``Talker``."""
        return face.source.fps

    def _find(self, path, select: str, options: RenderOptions, seconds: float | None) -> Face:
        source = FaceSource(path, options.fps, options.start, select, self.backend, options.cache)
        track = source.track(None if seconds is None else max(1, round(seconds * source.fps)))
        weight = drawn_weight(track, source.fps)
        points = mask_points(track, source.fps, options.mouth_tracking)
        return Face(source, track, weight, points, References(source, track, self.img_size))

    def _open(self, face, sounds: Mapping[str, Sound], options: RenderOptions, phase: int | None) -> FilmTake:
        seconds = max(sound.seconds for sound in sounds.values())
        if not isinstance(face, Film):
            whole = options.length == "video" or phase is not None
            face = self.prepare(face, options, None if whole else seconds, list(sounds))
        return FilmTake(self, face, sounds, options, phase or 0)


class FilmTake(Take):
    """A film whose faces are about to say a sound each."""

    def __init__(self, talker: LipTalker, film: Film, sounds: Mapping[str, Sound], options: RenderOptions, phase: int):
        fps, seconds = film.source.fps, max(sound.seconds for sound in sounds.values())
        self.faces = [film.faces[choice] for choice in sounds]
        self.length = len(self.faces[0].track)
        num_frames = self.length if options.length == "video" else max(1, round(seconds * fps))
        super().__init__(film.source.path, list(sounds.values()), fps, num_frames, film.source.info.pixel_aspect)
        self.talker, self.film, self.options, self.phase = talker, film, options, phase
        self.period = 2 * self.length - 2 if options.loop == "pingpong" and self.length > 1 else 1
        self.listened = [self._listen(sound) for sound in self.sounds]

    def _listen(self, sound: Sound) -> Sequence:
        wav = sound.take_wav()
        wav = drive_sound(wav, self.options.gate, self.options.level, out=wav)
        return self.talker.listen(wav, self.num_frames, self.fps)

    def heard(self) -> tuple[Iterator[np.ndarray], int]:
        """See ``Take``."""
        if self.options.soundtrack == "driving":
            sounds = [sound.heard for sound in self.sounds]
        elif self.options.soundtrack == "original":
            sounds = [Heard.from_file(self.film.source.video, self.options.start)]
        else:
            sounds = [Heard.from_file(self.options.soundtrack)]
        seconds = self.num_frames / self.fps
        if self.options.length == "sound":  # its end, within the last frame, is not cut
            seconds = max(seconds, *(sound.seconds for sound in self.sounds))
        return heard_together(sounds, seconds)

    def pictures(self, first: int = 0) -> Generator[Picture]:
        """See ``Take``."""
        frames = in_background(self._shown(first), DECODED_AHEAD)
        batches = in_background(self._prepared(frames), BATCHES_AHEAD)
        generated = in_background(self._generated(batches), BATCHES_AHEAD)
        return in_background(self._blended(generated), DECODED_AHEAD)

    def _order(self) -> Iterator[int]:
        return playing_order(self.length, self.num_frames, self.options.loop, self.phase)

    def _shown(self, first: int) -> Iterator[tuple[int, int, Picture]]:
        """Yield (number in the result, number in the film, frame)."""
        played = play(self.film.source, islice(self._order(), first, None))
        for number, (source_number, picture) in enumerate(played, first):
            yield number, source_number, picture

    def _prepared(self, frames) -> Iterator[tuple[list, list]]:
        """Collect frames until a batch of faces is full; yields the frames, and what the model needs."""
        held, needed, size = [], [], self.talker.batch_size
        for number, source_number, picture in frames:
            tasks = [
                self._task(face, sound[number], source_number, picture)
                for face, sound in zip(self.faces, self.listened, strict=True)
                if face.weight[source_number] > 0
            ]
            held.append((picture, tasks))
            needed += tasks
            if len(needed) >= size or len(held) >= size:
                yield held, needed
                held, needed = [], []
        if held:
            yield held, needed

    def _task(self, face: Face, sound, source_number: int, picture: Picture) -> Task:
        box = even_box(face.track.bbox[source_number])
        filmed = picture.crop(box, self.talker.img_size)
        return Task(face, source_number, box, filmed, face.references[source_number], sound)

    def _generated(self, batches) -> Iterator[tuple[list, list]]:
        """Run the model; yields the frames, and the generated faces in order of their tasks."""
        size = self.talker.batch_size
        for held, needed in batches:
            faces: list[np.ndarray] = []
            for part in (needed[k : k + size] for k in range(0, len(needed), size)):
                faces += self.talker.draw(part)
            yield held, faces

    def _blended(self, generated) -> Iterator[Picture]:
        """Put the generated faces into the frames."""
        for held, faces in generated:
            remaining = iter(faces)
            for picture, tasks in held:
                if tasks:
                    picture = picture.copy()
                for task in tasks:
                    self._blend(picture, task, np.ascontiguousarray(next(remaining)))
                yield picture

    def _blend(self, picture: Picture, task: Task, generated: np.ndarray) -> None:
        """Write one generated face, float32 RGB (S, S, 3), into a picture."""
        options, points = self.options, task.face.points[task.source_number]
        weight = task.face.weight[task.source_number]
        if options.quality == "fast":
            mask, lips = rectangle_mask(), None
        else:
            mask, lips = mouth_mask(points, options.mask_size, options.mask_feather), lip_mask(points)
        if self.film.parser is not None:
            mask = mask * self.film.parser.mask(picture.crop(task.box, RESTORED_SIZE), len(mask))
        generated = match_colour(generated, task.filmed, mask)
        blend(picture, NewFace(task.box, generated, weight * mask, lips), options.debug_mask)
        if self.film.restorer is not None:
            self._restore(picture, task.box, points, weight)

    def _restore(self, picture: Picture, box, points: np.ndarray, weight: float) -> None:
        """Restore a face with its new mouth; what changes is again the mouth."""
        from silvertalk.face.restore.enhance import restoration_box

        sides = np.array([box[2] - box[0], box[3] - box[1]])
        landmarks = box[:2] + points * sides
        square = even_box(restoration_box(landmarks))
        side = square[2] - square[0]
        relative = ((landmarks - square[:2]) / side).astype(np.float32)
        restored = self.film.restorer.restore(picture.crop(square, RESTORED_SIZE), relative * RESTORED_SIZE)
        middle = ((box[1] + box[3]) / 2 - square[1]) / side
        mask = mouth_mask(relative, self.options.mask_size, self.options.mask_feather * sides[0] / side, middle)
        blend(picture, NewFace(square, restored.astype(np.float32), weight * mask))

    def spans_without_face(self) -> list[tuple[float, float]]:
        """See ``Take``."""
        order = np.fromiter(self._order(), int, self.num_frames)
        missing = np.any([face.weight[order] == 0 for face in self.faces], axis=0)
        return seconds_apart(missing, self.fps)


class References:
    """One calm picture of a face for each shot, read when it is first needed.

    The frame to be changed must not be its own reference: the generator
    would copy the lips it shows instead of following the sound.
    """

    def __init__(self, source: FaceSource, track: Track, size: int):
        self.source, self.track, self.size = source, track, size
        self._pictures: dict[int, np.ndarray] = {}

    def __getitem__(self, number: int) -> np.ndarray:
        """The reference of a frame: uint8 RGB (S, S, 3)."""
        shot = int(np.asarray(self.track.shot)[number])
        if shot not in self._pictures:
            calm = self._calm_frame(shot)
            picture = next(self.source.pictures(calm))
            self._pictures[shot] = picture.crop(even_box(self.track.bbox[calm]), self.size)
        return self._pictures[shot]

    def _calm_frame(self, shot: int) -> int:
        track = self.track
        opening = lip_opening(track.landmarks, track.bbox)
        seen = np.flatnonzero(np.asarray(track.detected) & (np.asarray(track.shot) == shot))
        return int(seen[np.argsort(opening[seen])[int(REFERENCE_QUANTILE * (len(seen) - 1))]])


def _make_restorer(options: RenderOptions, device: str):
    if options.quality != "enhanced":
        return None
    from silvertalk.face.restore.enhance import make_enhancer

    return make_enhancer(options.weights_dir, options.restorer, options.restore_blend, device)


def _make_parser(options: RenderOptions):
    if options.mask != "parsing":
        return None
    from silvertalk.face.restore.parsing import FaceParser, find_parser

    return FaceParser(find_parser(options.weights_dir))
