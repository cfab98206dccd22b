"""Rates that pictures, sound and landmarks are kept at; one place for all rooms."""

from silvertalk.media.mel import SAMPLING_RATE

FPS = 25.0  # pictures a second, of every face dump and network of lips
SAMPLES_PER_FRAME = int(SAMPLING_RATE / FPS)
MAKEITTALK_FPS = 62.5  # landmarks and spectrogram frames a second of MakeItTalk
