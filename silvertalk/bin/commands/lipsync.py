"""``silvertalk lipsync``: a face says the sound of a file."""

import sys
from pathlib import Path

from silvertalk.bin.commands.common import STANDARD_OUTPUT, report, run_with_talker, talker_parser, target


def lipsync(
    face: str,
    out: str,
    audio: str | None = None,
    speakers: list[str] | None = None,
    stream: bool = False,
    preview: int | None = None,
    model: str = "wav2lip",
    setup=None,
) -> None:
    """Make a face say the sound of a file.

    Args:
        face: Video, photo, folder of pictures, avatar or puppet.
        out: The mp4 to write, the png for --preview, or - for standard output.
        audio: Sound file, or a video whose sound is meant; leave out for the sound of the face video itself.
        speakers: Several faces with a sound each, CHOICE=SOUND ..., CHOICE as for --select; instead of --audio.
        stream: Write fragmented mp4, which can be played while it grows.
        preview: Number of one frame to render, as a picture.
        model: wav2lip, makeittalk, cartoon, or another's name; with --help it shows the options of that one.
        setup: The talker's options.
    """
    from silvertalk.media.sound import Sound

    if audio and speakers:
        raise ValueError("give --audio or --speakers, not both")
    if preview is not None:
        _check_picture_name(out)
    talker, render = setup.talker(), setup.rendering()
    named = _speakers(speakers) if speakers else {"": audio or face}
    sounds = {choice: Sound.from_file(path) for choice, path in named.items()}
    if preview is not None:
        _write_picture(out, talker.preview(face, sounds, preview, render))
        return
    with target(out, stream) as file:
        report(talker.render_sounds(face, sounds, file, render))


def _speakers(entries: list[str]) -> dict[str, str]:
    """Choices of faces and their sounds."""
    sounds = {}
    for entry in entries:
        choice, equals, sound = entry.rpartition("=")
        if not (equals and choice and sound):
            raise ValueError(f"speaker '{entry}' is not CHOICE=SOUND, e.g. 0=left.wav")
        if choice in sounds:
            raise ValueError(f"speaker '{choice}' has two sounds; give each face one")
        sounds[choice] = sound
    return sounds


def _check_picture_name(out: str) -> None:
    import cv2

    if out != STANDARD_OUTPUT and not cv2.haveImageWriter(out):
        raise ValueError(f"{out}: is no name of a picture; let it end in .png or .jpg")


def _write_picture(out: str, rgb) -> None:
    import cv2

    from silvertalk.utils import atomic_path

    _, data = cv2.imencode(".png" if out == STANDARD_OUTPUT else Path(out).suffix, rgb[..., ::-1])
    if out == STANDARD_OUTPUT:
        sys.stdout.buffer.write(data)
        return
    with atomic_path(out) as temporary:
        temporary.write_bytes(data)


def get_parser(model: str = "wav2lip"):
    """Return the parser, with the options of a talker."""
    return talker_parser(lipsync, model, prog="silvertalk lipsync")


def main(cmd: list[str] | None = None):
    """Run the command line."""
    run_with_talker(lipsync, cmd, prog="silvertalk lipsync")
