"""Finding a face, following it, cutting it out and putting it back."""

from silvertalk.face.crop import crop_face
from silvertalk.face.detect.landmarks import choose_backend, make_backend
from silvertalk.face.select import make_selector
from silvertalk.face.track import NoFaceError, Track, track_frames, track_video

__all__ = [
    "NoFaceError",
    "Track",
    "choose_backend",
    "crop_face",
    "make_backend",
    "make_selector",
    "track_frames",
    "track_video",
]
