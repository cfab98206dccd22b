"""One rendering: what is to be drawn where, and the chain that draws it.

Frames flow from the decoder through the generator and the blending to the
encoder, each in a thread of its own with a bounded queue between, so memory
does not grow with length. All but the mouth stays as the decoder gave it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

import numpy as np

from silvertalk.engine.runtimes import Engine
from silvertalk.face.blend import NewFace, blend, match_colour
from silvertalk.face.lips import lip_opening
from silvertalk.face.mask import lip_mask, mask_points, mouth_mask, rectangle_mask
from silvertalk.face.prepare.dump import MIN_SOUND
from silvertalk.face.source import FaceSource
from silvertalk.face.track import Track, drawn_weight, seconds_apart
from silvertalk.face.watermark import make_watermark
from silvertalk.media import Picture, wav2lip_mel
from silvertalk.media.picture import even_box
from silvertalk.media.sound import Heard, Sound, heard_together
from silvertalk.media.speech import drive_sound
from silvertalk.syncnet.windows import MEL_STEP_SIZE, mel_start, padded_columns
from silvertalk.talker.playback import play, playing_order
from silvertalk.utils.background import in_background
from silvertalk.wav2lip.options import RenderOptions

# The reference shows a nearly closed mouth, but not the extreme frame, which may be a blink of the tracker.
REFERENCE_QUANTILE = 0.1
DECODED_AHEAD = 8  # frames
BATCHES_AHEAD = 1
RESTORED_SIZE = 512  # pixels, what restoration networks take


@dataclass
class Speaker:
    """One face of the video and what it says."""

    source: FaceSource
    track: Track
    weight: np.ndarray  # (T,) from drawn_weight
    points: np.ndarray  # (T, 68, 2) from mask_points
    windows: "_Windows"  # what it hears at each frame
    references: "References"


class Rendering:
    """One rendering: what is to be drawn where, and the chain that draws it."""

    def __init__(self, engine: Engine, backend, face, sounds: dict[str, Sound], options: RenderOptions):
        self.options, self.engine, self.sounds = options, engine, sounds
        for sound in sounds.values():
            if sound.seconds < MIN_SOUND:
                raise ValueError(
                    f"{sound.name}: lasts {sound.seconds:.3f} s, less than {MIN_SOUND} s; give a longer sound"
                )
        self.restorer, self.parser = self._make_restorer(), self._make_parser()
        seconds = max(sound.seconds for sound in sounds.values())
        self.source = FaceSource(face, options.fps, options.start, next(iter(sounds)), backend, options.cache)
        self.fps = self.source.fps
        self.num_frames = max(1, round(seconds * self.fps))
        self.speakers = [self._speaker(face, choice, sound, backend) for choice, sound in sounds.items()]
        self.watermark = None

    def _speaker(self, face, choice: str, sound: Sound, backend) -> Speaker:
        options, fps = self.options, self.fps
        source = FaceSource(face, options.fps, options.start, choice, backend, options.cache)
        if options.length == "video":
            track = source.track()
            self.num_frames = len(track)
        else:
            track = source.track(self.num_frames)
        wav = sound.take_wav()
        wav = drive_sound(wav, options.gate, options.level, out=wav)
        return Speaker(
            source,
            track,
            drawn_weight(track, fps),
            mask_points(track, fps, options.mouth_tracking),
            _mel_windows(wav, self.num_frames, fps),
            References(source, track, self.engine.img_size),
        )

    def _make_restorer(self):
        if self.options.quality != "enhanced":
            return None
        from silvertalk.face.restore.enhance import make_enhancer

        options = self.options
        return make_enhancer(options.weights_dir, options.restorer, options.restore_blend, self.engine.device)

    def _make_parser(self):
        if self.options.mask != "parsing":
            return None
        from silvertalk.face.restore.parsing import FaceParser, find_parser

        return FaceParser(find_parser(self.options.weights_dir))

    # What is heard.

    def heard(self) -> tuple[Iterator[np.ndarray], int]:
        """Sound of the result, in pieces as long together as the result, and its rate."""
        if self.options.soundtrack == "driving":
            sounds = [sound.heard for sound in self.sounds.values()]
        elif self.options.soundtrack == "original":
            sounds = [Heard.from_file(self.source.video, self.options.start)]
        else:
            sounds = [Heard.from_file(self.options.soundtrack)]
        seconds = self.num_frames / self.fps
        if self.options.length == "sound":  # its end, within the last frame, is not cut
            seconds = max(seconds, *(sound.seconds for sound in self.sounds.values()))
        return heard_together(sounds, seconds)

    # What is seen.

    def pictures(self, first: int = 0) -> Iterator[Picture]:
        """Render the frames from number ``first`` on."""
        frames = in_background(self._shown(first), DECODED_AHEAD)
        batches = in_background(self._prepared(frames), BATCHES_AHEAD)
        generated = in_background(self._generated(batches), BATCHES_AHEAD)
        return in_background(self._blended(generated), DECODED_AHEAD)

    def _shown(self, first: int) -> Iterator[tuple[int, int, Picture]]:
        """Yield (number in the result, number in the source, frame)."""
        order = playing_order(len(self.speakers[0].track), self.num_frames, self.options.loop)
        played = play(self.source, islice(order, first, None))
        for number, (source_number, picture) in enumerate(played, first):
            yield number, source_number, picture

    def _prepared(self, frames) -> Iterator[tuple[list, list]]:
        """Collect frames until a batch of faces is full; yields the frames, and what the generator needs."""
        held, needed = [], []
        for number, source_number, picture in frames:
            tasks = []
            for speaker in self.speakers:
                if speaker.weight[source_number] > 0:
                    tasks.append(self._task(speaker, number, source_number, picture))
            held.append((source_number, picture, tasks))
            needed += tasks
            if len(needed) >= self.engine.batch_size or len(held) >= self.engine.batch_size:
                yield held, needed
                held, needed = [], []
        if held:
            yield held, needed

    def _task(self, speaker: Speaker, number: int, source_number: int, picture: Picture) -> "Task":
        box = even_box(speaker.track.bbox[source_number])
        filmed = picture.crop(box, self.engine.img_size)
        reference = speaker.references[source_number]
        masked = filmed.copy()
        masked[len(masked) // 2 :] = 0
        return Task(speaker, source_number, box, filmed, np.dstack([masked, reference]), speaker.windows[number])

    def _generated(self, batches) -> Iterator[tuple[list, list]]:
        """Run the generator; yields the frames, and the generated faces in order of their tasks."""
        size = self.engine.batch_size
        for held, needed in batches:
            faces: list[np.ndarray] = []
            for part in (needed[k : k + size] for k in range(0, len(needed), size)):
                mels = np.stack([task.mel for task in part])[:, None]
                inputs = np.stack([_to_input(task.pictures) for task in part])
                outputs = self.engine(np.ascontiguousarray(mels), inputs)
                faces += [face.transpose(1, 2, 0)[..., ::-1] * 255 for face in outputs]
            yield held, faces

    def _blended(self, generated) -> Iterator[Picture]:
        """Put the generated faces into the frames."""
        for held, faces in generated:
            remaining = iter(faces)
            for _, picture, tasks in held:
                if tasks or self.options.watermark:
                    picture = picture.copy()
                for task in tasks:
                    self._blend(picture, task, np.ascontiguousarray(next(remaining)))
                if self.options.watermark:
                    self._mark(picture)
                yield picture

    def _blend(self, picture: Picture, task: "Task", generated: np.ndarray) -> None:
        """Write one generated face, float32 RGB (S, S, 3), into a picture."""
        options, points = self.options, task.speaker.points[task.source_number]
        weight = task.speaker.weight[task.source_number]
        if options.quality == "fast":
            mask, lips = rectangle_mask(), None
        else:
            mask, lips = mouth_mask(points, options.mask_size, options.mask_feather), lip_mask(points)
        if self.parser is not None:
            mask = mask * self.parser.mask(picture.crop(task.box, RESTORED_SIZE), len(mask))
        generated = match_colour(generated, task.filmed, mask)
        blend(picture, NewFace(task.box, generated, weight * mask, lips), options.debug_mask)
        if self.restorer is not None:
            self._restore(picture, task.box, points, weight)

    def _restore(self, picture: Picture, box, points: np.ndarray, weight: float) -> None:
        """Restore a face with its new mouth; what changes is again the mouth."""
        from silvertalk.face.restore.enhance import restoration_box

        sides = np.array([box[2] - box[0], box[3] - box[1]])
        landmarks = box[:2] + points * sides
        square = even_box(restoration_box(landmarks))
        side = square[2] - square[0]
        relative = ((landmarks - square[:2]) / side).astype(np.float32)
        restored = self.restorer.restore(picture.crop(square, RESTORED_SIZE), relative * RESTORED_SIZE)
        middle = ((box[1] + box[3]) / 2 - square[1]) / side
        mask = mouth_mask(relative, self.options.mask_size, self.options.mask_feather * sides[0] / side, middle)
        blend(picture, NewFace(square, restored.astype(np.float32), weight * mask))

    def _mark(self, picture: Picture) -> None:
        if self.watermark is None:
            self.watermark = make_watermark(self.options.watermark, picture)
        self.watermark.draw(picture)

    def spans_without_face(self) -> list[tuple[float, float]]:
        """Seconds of the result in which a face could not be drawn."""
        order = np.fromiter(
            playing_order(len(self.speakers[0].track), self.num_frames, self.options.loop), int, self.num_frames
        )
        missing = np.any([speaker.weight[order] == 0 for speaker in self.speakers], axis=0)
        return seconds_apart(missing, self.fps)


@dataclass
class Task:
    """One face of one frame on its way through the generator."""

    speaker: Speaker
    source_number: int  # frame of the source
    box: tuple[int, int, int, int]
    filmed: np.ndarray  # uint8 RGB (S, S, 3)
    pictures: np.ndarray  # uint8 (S, S, 6): masked face and reference, RGB each
    mel: np.ndarray  # (80, 16)


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
        shot = int(self.track.shot[number])
        if shot not in self._pictures:
            calm = self._calm_frame(shot)
            picture = next(self.source.pictures(calm))
            self._pictures[shot] = picture.crop(even_box(self.track.bbox[calm]), self.size)
        return self._pictures[shot]

    def _calm_frame(self, shot: int) -> int:
        opening = lip_opening(self.track.landmarks, self.track.bbox)
        seen = np.flatnonzero(self.track.detected & (self.track.shot == shot))
        return int(seen[np.argsort(opening[seen])[int(REFERENCE_QUANTILE * (len(seen) - 1))]])


def _to_input(pictures: np.ndarray) -> np.ndarray:
    """uint8 (S, S, 6), RGB twice -> float32 (6, S, S), BGR twice, in [0, 1]."""
    return pictures[..., [2, 1, 0, 5, 4, 3]].transpose(2, 0, 1).astype(np.float32) / 255


def _mel_windows(wav: np.ndarray, num_frames: int, fps: float) -> "_Windows":
    """Prepare one mel window per frame; silence follows the sound, so that no frame is lost."""
    mel = wav2lip_mel(wav)
    lacking = max(0, padded_columns(num_frames, fps) - mel.shape[1])
    return _Windows(np.pad(mel, ((0, 0), (0, lacking)), constant_values=-4.0), fps)


@dataclass
class _Windows:
    """The mel window of each frame."""

    mel: np.ndarray  # (80, T)
    fps: float

    def __getitem__(self, number: int) -> np.ndarray:
        """Window (80, 16) of a frame."""
        first = mel_start(number, self.fps)
        return self.mel[:, first : first + MEL_STEP_SIZE]
