"""Audio and video in and out, and the mel spectrogram of the lip-sync models."""

from silvertalk.media.audio import read_audio, write_audio
from silvertalk.media.mel import wav2lip_mel
from silvertalk.media.picture import Picture
from silvertalk.media.video import (
    MediaInfo,
    probe,
    read_frames,
    read_jpegs,
    read_pictures,
    read_window,
)
from silvertalk.media.writer import VideoWriter

__all__ = [
    "MediaInfo",
    "Picture",
    "VideoWriter",
    "probe",
    "read_audio",
    "read_frames",
    "read_jpegs",
    "read_pictures",
    "read_window",
    "wav2lip_mel",
    "write_audio",
]
