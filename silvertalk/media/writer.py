"""Write H.264 and AAC, or MJPEG: files that appear when they are whole, and streams."""

import contextlib
import json
import sys
from collections.abc import Iterable, Mapping
from fractions import Fraction

import av
import numpy as np

from silvertalk.media.picture import Picture
from silvertalk.utils import atomic_path

AAC_BIT_RATE = 96_000  # per channel
AAC_RATES = {8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000}  # Hz
AAC_BLOCK = 1024  # samples
# Fragments leave as soon as they are whole; the header waits for the first, because it tells players of AAC's priming.
FRAGMENTED = {"movflags": "frag_keyframe+delay_moov+default_base_moof+use_metadata_tags", "frag_duration": "400000"}
MP4_OPTIONS = {"movflags": "+faststart+use_metadata_tags"}
STANDARD_OUTPUT = "-"


class VideoWriter:
    """Write frames, and optionally sound, to a file that appears only when whole.

    Args:
        path: Output; the suffix chooses the container (.mp4, .mkv, .mov; .avi for ``codec="mjpeg"``). "-" or an
            open binary file gets fragmented mp4, every fragment as soon as it is whole.
        fps: Frames per second.
        audio: Sound in [-1, 1], float (T,) or (channels, T), or an iterator of such pieces; None: silent film.
        sampling_rate: Of ``audio`` (Hz).
        codec: ``libx264`` or ``mjpeg`` (every frame alone: cheap to seek in).
        quality: CRF of H.264 (0-51, lower is better), or qscale of MJPEG (1-31).
        preset: Speed of H.264 (ultrafast ... veryslow).
        keyframes: Most frames between two that can be shown without others; None: the codec's own choice.
        live: Encode without delay: no frame waits for a later one. Streams always are.
        pixel_aspect: Width over height of a pixel.
        metadata: Written into the file's header; values that are not strings as JSON.

    Example:
        ``with VideoWriter("out.mp4", 25, audio, 16000) as out:``
        ``    out.write(frame)``

    Raises:
        OSError: The file cannot be written; nothing of it is left.
    """

    def __init__(
        self,
        path,
        fps: float,
        audio: np.ndarray | Iterable[np.ndarray] | None = None,
        sampling_rate: int | None = None,
        codec: str = "libx264",
        quality: int = 18,
        preset: str = "veryfast",
        keyframes: int | None = None,
        live: bool = False,
        pixel_aspect: Fraction = Fraction(1),
        metadata: Mapping[str, object] | None = None,
    ):
        if not 0 < fps < float("inf"):
            raise ValueError(f"{path}: {fps} frames a second were asked for; give more than 0")
        self._fps = Fraction(fps).limit_denominator(1001)
        self._pieces = None if audio is None else iter([audio] if isinstance(audio, np.ndarray) else audio)
        self._sampling_rate, self._sound = sampling_rate, None
        self._codec, self._quality, self._preset = codec, quality, preset
        self._keyframes, self._pixel_aspect, self._metadata = keyframes, pixel_aspect, metadata or {}
        self._stream = self._container = None
        self._sound_done = 0  # samples already encoded
        self._rest = None  # sound that was read but not encoded yet (channels, T)
        self.num_frames = 0
        self._streamed = hasattr(path, "write") or str(path) == STANDARD_OUTPUT
        self._live = live or self._streamed
        self._path = getattr(path, "name", "the stream") if hasattr(path, "write") else path
        self._target = path
        if str(path) == STANDARD_OUTPUT:
            # Without Python's buffer, which would hold the end of a fragment until the next one comes.
            self._path, self._target = "standard output", getattr(sys.stdout.buffer, "raw", sys.stdout.buffer)
        self._stack = contextlib.ExitStack()

    def __enter__(self):
        if self._streamed:
            self._container = av.open(self._target, "w", format="mp4", options=FRAGMENTED)
            return self
        try:
            temporary = self._stack.enter_context(atomic_path(self._path))
            temporary.touch()  # FFmpeg opens the file only with the first frame, when minutes may have passed
            self._container = av.open(str(temporary), "w", options={} if self._codec == "mjpeg" else MP4_OPTIONS)
        except (OSError, ValueError) as error:
            self._stack.__exit__(type(error), error, error.__traceback__)
            reason = getattr(error, "strerror", None) or error
            raise OSError(f"cannot write {self._path} ({reason}); choose another folder or suffix") from error
        return self

    def __exit__(self, kind, error, traceback):
        try:
            with self._named_errors():
                try:
                    if kind is None:
                        self._finish()
                finally:
                    self._container.close()
        except BaseException as problem:
            self._stack.__exit__(type(problem), problem, problem.__traceback__)
            if kind is None:  # else the first error is the one to tell
                raise
            return False
        return self._stack.__exit__(kind, error, traceback)

    @contextlib.contextmanager
    def _named_errors(self):
        """Name the file in errors of the encoder and the disk."""
        try:
            yield
        except BrokenPipeError:
            raise BrokenPipeError(f"{self._path}: whoever read the stream has gone") from None
        except (av.FFmpegError, OSError) as error:
            raise OSError(
                f"{self._path}: cannot be written ({error.strerror}); check the free space and the permissions"
            ) from error

    def _open_streams(self, picture: Picture) -> None:
        """Add the streams once the picture size is known."""
        for key, value in self._metadata.items():
            self._container.metadata[key] = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        self._stream = stream = self._container.add_stream(self._codec, rate=self._fps)
        # 4:2:0 needs even sides; an odd last row or column is repeated, not cut.
        stream.width, stream.height = picture.width + picture.width % 2, picture.height + picture.height % 2
        context = stream.codec_context
        if self._codec == "mjpeg":
            stream.pix_fmt = "yuvj420p"
            context.qmin = context.qmax = self._quality
        else:
            stream.pix_fmt = picture.frame.format.name
            stream.options = {"crf": str(self._quality), "preset": self._preset}
            if self._live:
                stream.options |= {"tune": "zerolatency"}
            for tag in ("colorspace", "color_range", "color_primaries", "color_trc"):
                setattr(context, tag, getattr(picture.frame, tag))
            if self._pixel_aspect != 1:
                context.sample_aspect_ratio = self._pixel_aspect
        if self._keyframes or self._streamed:
            context.gop_size = self._keyframes or round(self._fps)
        if self._pieces is not None:
            self._open_sound()

    def _open_sound(self) -> None:
        """Add the sound's stream once the number of channels is known."""
        self._rest = np.atleast_2d(next(self._pieces, np.zeros((1, 0), np.float32)))
        layout = {1: "mono", 2: "stereo"}.get(len(self._rest))
        if layout is None or self._sampling_rate not in AAC_RATES:
            raise ValueError(
                f"{self._path}: AAC takes one or two channels at {sorted(AAC_RATES)} Hz, "
                f"not {len(self._rest)} at {self._sampling_rate}; resample the sound"
            )
        self._sound = self._container.add_stream("aac", rate=int(self._sampling_rate), layout=layout)
        self._sound.bit_rate = AAC_BIT_RATE * len(self._rest)

    def write(self, frame: Picture | np.ndarray) -> None:
        """Append one frame: a picture, or uint8 RGB (H, W, 3)."""
        with self._named_errors():
            picture = self._picture(frame) if isinstance(frame, np.ndarray) else frame
            if self._stream is None:
                self._open_streams(picture)
            encoded = _padded(picture).frame
            encoded.pts, encoded.time_base = self.num_frames, 1 / self._fps
            encoded.pict_type = 0
            self._container.mux(self._stream.encode(encoded))
            self.num_frames += 1
            if self._sound is not None:
                # One block ahead, so that a fragment never waits for the sound of its last frame.
                self._write_sound(round(self.num_frames / self._fps * self._sampling_rate) + AAC_BLOCK)

    def _picture(self, rgb: np.ndarray) -> Picture:
        """Convert uint8 (H, W, 3) into what the codec takes."""
        if self._codec != "mjpeg":
            return Picture.from_rgb(rgb)
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(rgb), "rgb24")
        return Picture(frame.reformat(format="yuvj420p"))

    def _write_sound(self, until: int | None) -> None:
        """Encode the sound up to a sample, so that both streams stay side by side in the file; None: all of it."""
        while until is None or self._sound_done < until:
            if not self._rest.shape[1]:
                piece = next(self._pieces, None)
                if piece is None:
                    return
                self._rest = np.atleast_2d(piece)
                continue  # it may be empty
            count = self._rest.shape[1] if until is None else until - self._sound_done
            samples, self._rest = self._rest[:, :count], self._rest[:, count:]
            self._encode_sound(np.clip(samples, -1, 1).astype(np.float32))

    def _encode_sound(self, samples: np.ndarray) -> None:
        frame = av.AudioFrame.from_ndarray(
            np.ascontiguousarray(samples), format="fltp", layout="mono" if len(samples) == 1 else "stereo"
        )
        frame.sample_rate, frame.pts = self._sound.rate, self._sound_done
        frame.time_base = Fraction(1, self._sound.rate)
        self._container.mux(self._sound.encode(frame))
        self._sound_done += samples.shape[1]

    def _finish(self) -> None:
        if self._stream is None:
            raise RuntimeError(f"{self._path}: no frame was written")
        if self._sound is not None:
            self._write_sound(until=None)
        self._container.mux(self._stream.encode(None))
        if self._sound is not None:
            self._container.mux(self._sound.encode(None))


def _padded(picture: Picture) -> Picture:
    """Repeat an odd last row or column."""
    if picture.width % 2 == 0 and picture.height % 2 == 0:
        return picture
    down, right = picture.height % 2, picture.width % 2
    planes = [np.pad(picture.luma, ((0, down), (0, right)), mode="edge"), *picture.planes[1:]]
    return picture.with_planes(planes)
