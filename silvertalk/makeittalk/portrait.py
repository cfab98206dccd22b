"""A photo that moves: the head in it says the given sound.

Sound flows in pieces through voice conversion and the landmark branches;
landmarks become drawings, drawings pictures, and these go into the photo. Each
step runs in a thread of its own with a bounded queue between, so memory does
not grow with length, and a stream begins while its end is still to be heard.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from silvertalk.face import make_backend
from silvertalk.face.dump import MIN_SOUND
from silvertalk.face.watermark import make_watermark
from silvertalk.makeittalk import translate
from silvertalk.makeittalk.animate import AudioToLandmarks, finish
from silvertalk.makeittalk.checkpoint import load_network
from silvertalk.makeittalk.drawing import draw_landmarks
from silvertalk.makeittalk.options import PortraitOptions
from silvertalk.makeittalk.photo import Head, make_head, read_photo
from silvertalk.makeittalk.pickles import read_embeddings
from silvertalk.makeittalk.sound import (
    FRAMES_PER_SECOND,
    SoundFeatures,
    autovc_mel,
    f0_bins,
    filter_wav,
    match_level,
    speaker_embedding,
    to_pcm,
)
from silvertalk.makeittalk.statistics import Statistics
from silvertalk.media import Picture, VideoWriter, read_audio
from silvertalk.media.mel import SAMPLING_RATE
from silvertalk.media.provenance import provenance
from silvertalk.media.sound import Sound, heard_together
from silvertalk.media.speech import drive_sound
from silvertalk.utils import progress
from silvertalk.utils.background import in_background
from silvertalk.utils.engine import Engine
from silvertalk.utils.experiment import newest_experiment

HOP = 256  # samples of a frame of landmarks
PIECE = 3750  # frames of sound converted at a time, 60 s
CONTEXT = 64  # frames, 1 s, heard before and after a piece; the filter and the network have forgotten what is further
VOICE_SECONDS = 60  # of the sound that say who speaks
BATCHES_AHEAD = 1
PICTURES_AHEAD = 8


@dataclass
class PortraitResult:
    """What was rendered."""

    out: str  # the file
    num_frames: int
    fps: float
    bbox: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)  # x1 y1 x2 y2 of the face, pixels of the result


class Portrait:
    """Animates photos.

    Args:
        autovc: Takes the speaker out of a sound: experiment folder, (published) checkpoint, or network.
        content: Moves the lips; likewise.
        speaker: Moves face and head; likewise.
        translation: Draws the pictures; likewise, or an ``Engine``.
        statistics: What stage 11 measured: its file or folder, a copy of the published code, or ``Statistics``;
            None: those beside the content branch.
        backend: Face backend, or the name of one.
        device: auto, cpu or cuda.
        engine: What runs the image translation: auto, torch, openvino or onnxruntime.
        precision: auto, fp32, bf16 or fp16.
        batch_size: Pictures drawn at a time.
        img_size: Side of the portrait (pixels); None: as the image translation was trained.
        official: Whether the networks are the published ones, which want a flatter face, wider eyes and thinner lips
            than are found; None: they are if the content branch is a file without a configuration beside it.

    Example:
        ``Portrait.from_exp("exp").animate("me.jpg", "speech.wav", "out.mp4")``

    Raises:
        FileNotFoundError: Something of this is not there.
        ValueError: Another network.
    """

    def __init__(
        self,
        autovc,
        content,
        speaker,
        translation,
        statistics=None,
        backend="auto",
        device: str = "auto",
        engine: str = "auto",
        precision: str = "auto",
        batch_size: int = 4,
        img_size: int | None = None,
        official: bool | None = None,
    ):
        self.statistics = _statistics(statistics, content)
        self.engine: Engine = (
            translation
            if isinstance(translation, Engine)
            else translate.make_engine(
                translation, img_size, backend=engine, device=device, precision=precision, batch_size=batch_size
            )
        )
        self.device = self.engine.device
        self.features = SoundFeatures(_load(autovc, "AutoVC"), self.statistics.target_embedding, self.device)
        branches = _load(content, "ContentBranch"), _load(speaker, "SpeakerBranch")
        self.animator = AudioToLandmarks(*branches, device=self.device)
        self.backend = make_backend(backend, self.device) if isinstance(backend, str) else backend
        self.official = _is_official(content) if official is None else official
        self.model = (
            Path(translation).name if isinstance(translation, str | os.PathLike) else type(translation).__name__
        )

    @classmethod
    def from_exp(
        cls, expdir: str | os.PathLike = "exp", autovc=None, content=None, speaker=None, translation=None, **options
    ) -> Portrait:
        """Load what a recipe trained.

        Args:
            expdir: Folder of experiments; the newest of each kind is taken unless another is named.
            autovc: See the constructor.
            content: Likewise.
            speaker: Likewise.
            translation: Likewise.
            **options: Of the constructor.

        Raises:
            FileNotFoundError: Nothing of a kind was trained.
        """
        named = {"autovc": autovc, "content": content, "speaker": speaker, "translation": translation}
        found = {name: given or newest_experiment(expdir, f"makeittalk_{name}_") for name, given in named.items()}
        return cls(**found, **options)

    def animate(
        self, photo: str | os.PathLike, sound: str | os.PathLike, out, options: PortraitOptions | None = None
    ) -> PortraitResult:
        """Let a photo say the sound of a file; see ``render``."""
        return self._render(photo, Sound.from_file(sound), out, options or PortraitOptions())

    def render(
        self, face: str | os.PathLike, wav: np.ndarray, sampling_rate: int, out, options: PortraitOptions | None = None
    ) -> PortraitResult:
        """Let a photo say a sound.

        Args:
            face: Photo; of a video its first usable frame.
            wav: Sound (T,) in [-1, 1].
            sampling_rate: Hz.
            out: The mp4 to write, as long as the sound; see ``VideoWriter``.
            options: How.

        Raises:
            NoFaceError: No face in the photo, or a profile.
            ValueError: Less than 0.1 s of sound.
        """
        return self._render(face, Sound.from_array(wav, sampling_rate), out, options or PortraitOptions())

    def _render(self, face, sound: Sound, out, options: PortraitOptions) -> PortraitResult:
        if sound.seconds < MIN_SOUND:
            raise ValueError(f"{sound.name}: lasts {sound.seconds:.3f} s, less than {MIN_SOUND} s; give a longer sound")
        picture, points = read_photo(face, self.backend, options.select, options.start)
        std_z = self.statistics.std_face[:, 2]
        head = make_head(picture, points, self.engine.img_size, std_z, self.official, options.close_mouth)
        num_frames = max(1, round(sound.seconds * options.fps))
        pieces, rate = heard_together([sound.heard], max(sound.seconds, num_frames / options.fps))
        name = getattr(out, "name", "stream") if hasattr(out, "write") else str(out)
        about = provenance(
            "The picture of this video is synthetic: a machine made a photo say this sound.",
            f"{self.model} ({self.engine.name})",
            face,
            [sound.name],
            options.changed(),
        )
        with VideoWriter(
            out, options.fps, pieces, rate, quality=options.crf, preset=options.preset, metadata={"comment": about}
        ) as writer:
            shown = self.pictures(head, sound.take_wav(), num_frames, options)
            for picture in progress(shown, desc=Path(name).name, total=num_frames):
                writer.write(picture)
        return PortraitResult(name, num_frames, options.fps, head.face_box(options.crop))

    def pictures(self, head: Head, wav: np.ndarray, num_frames: int, options: PortraitOptions) -> Iterator[Picture]:
        """Draw the frames of a head that says a sound.

        Args:
            head: From ``make_head``.
            wav: 16 kHz sound, float (T,) in [-1, 1].
            num_frames: How many, at ``options.fps``.
            options: How.
        """
        landmarks = at_rate(self.landmarks(head.face, wav, options), options.fps, num_frames)
        batches = in_background(self._batches(head, landmarks), BATCHES_AHEAD)
        drawn = in_background(self._drawn(batches), BATCHES_AHEAD)
        return in_background(_shown(head, drawn, options), PICTURES_AHEAD)

    def landmarks(self, face: np.ndarray, wav: np.ndarray, options: PortraitOptions) -> Iterator[np.ndarray]:
        """Move a normalised face (68, 3) with a 16 kHz sound: yields (n, 68, 3), 62.5 frames a second in all."""
        embedding = self._speaker(wav, options.reuse_speaker)
        contents = self._contents(drive_sound(wav, options.gate, level=False))
        au = self.statistics.normalise(np.concatenate(list(contents)))
        return finish(self.animator.stream(au, embedding, face, options), options)

    def _speaker(self, wav: np.ndarray, reused: str | None) -> np.ndarray:
        """Embedding (256,) of whoever's manner the head moves in."""
        if not reused:
            return speaker_embedding(wav[: VOICE_SECONDS * SAMPLING_RATE])
        path, colon, name = reused.rpartition(":")
        if colon and path.endswith(".pickle"):
            known = read_embeddings(path)
            if name not in known:
                raise ValueError(f"{path}: has no speaker '{name}'; it has {', '.join(map(str, sorted(known)[:10]))}")
            return np.asarray(known[name], np.float32).reshape(-1)
        return speaker_embedding(read_audio(reused, SAMPLING_RATE, end=VOICE_SECONDS)[0])

    def _contents(self, wav: np.ndarray) -> Iterator[np.ndarray]:
        """Convert a sound to the target voice in pieces: (n, 80) each, ``1 + len(wav) // 256`` in all."""
        pcm = match_level(to_pcm(_at_least_a_window(wav)))
        embedding = speaker_embedding((pcm[: VOICE_SECONDS * SAMPLING_RATE] / 32768).astype(np.float32))
        total = 1 + len(pcm) // HOP
        for first in range(0, total, PIECE):
            last = min(first + PIECE, total)
            before = max(0, first - CONTEXT)
            filtered = filter_wav(pcm[before * HOP : (last + CONTEXT) * HOP])
            content = self.features.convert(autovc_mel(filtered), f0_bins(filtered), embedding)
            yield content[first - before : last - before]

    def _batches(self, head: Head, landmarks: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        """Draw landmarks (68, 3) and put the portrait beside them: yields (B, 6, S, S)."""
        size, held = self.engine.img_size, []
        for points in landmarks:
            held.append(translate.to_input(draw_landmarks(head.place(points), size), head.portrait))
            if len(held) == self.engine.batch_size:
                yield np.stack(held)
                held = []
        if held:
            yield np.stack(held)

    def _drawn(self, batches: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        """Run the image translation; yields uint8 BGR (S, S, 3)."""
        for batch in batches:
            yield from map(translate.to_picture, self.engine(batch))


def at_rate(blocks: Iterable[np.ndarray], fps: float, num_frames: int) -> Iterator[np.ndarray]:
    """Take landmarks at another rate, on a line between their neighbours; the last ones are held.

    Args:
        blocks: (n, 68, 3) each, 62.5 a second.
        fps: Wanted frames per second.
        num_frames: How many.

    Yields:
        (68, 3).
    """
    blocks = iter(blocks)
    rows, first, ended = np.zeros((0, 68, 3)), 0, False  # rows in memory, and the number of the first of them
    for number in range(num_frames):
        place = number * FRAMES_PER_SECOND / fps
        low = int(place)
        while first + len(rows) < low + 2 and not ended:
            block = next(blocks, None)
            ended = block is None
            if not ended:
                kept = rows[max(0, min(low - first, len(rows) - 1)) :] if len(rows) else rows
                first += len(rows) - len(kept)
                rows = np.concatenate([kept, block])
        last = len(rows) - 1
        a, b = rows[min(low - first, last)], rows[min(low - first + 1, last)]
        yield a + (place - low) * (b - a)


def _shown(head: Head, drawn: Iterable[np.ndarray], options: PortraitOptions) -> Iterator[Picture]:
    """What the video shows of drawn portraits."""
    mark = None
    for portrait in drawn:
        picture = Picture.from_rgb(portrait[..., ::-1]) if options.crop else head.paste(portrait)
        if options.watermark:
            mark = mark or make_watermark(options.watermark, picture)
            mark.draw(picture)
        yield picture


def _at_least_a_window(wav: np.ndarray) -> np.ndarray:
    """Follow a very short sound with silence."""
    return np.pad(wav, (0, max(0, SAMPLING_RATE // 2 - len(wav))))


def _load(source, kind: str):
    """The network, or the one that is found where ``source`` says."""
    return load_network(source, kind) if isinstance(source, str | os.PathLike) else source


def _statistics(source, content) -> Statistics:
    """The statistics that were given, or those beside the content branch."""
    if isinstance(source, Statistics):
        return source
    if source is None:
        if not isinstance(content, str | os.PathLike):
            raise ValueError("networks in memory come without statistics; give them, too")
        source = content if Path(content).is_dir() else Path(content).parent
    return Statistics.load(source)


def _is_official(content) -> bool:
    """Whether a content branch is a file of the published kind."""
    return isinstance(content, str | os.PathLike) and not (
        Path(content).is_dir() or (Path(content).parent / "config.yaml").is_file()
    )
