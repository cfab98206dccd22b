"""``silvertalk avatar make``: a face made ready."""

import logging

from silvertalk.utils.cli import make_subcommands, run_subcommand


def avatar_make(
    face: str,
    out: str,
    fps: float | None = None,
    start: float = 0.0,
    seconds: float | None = None,
    select: str = "largest",
    face_backend: str = "auto",
) -> None:
    """Prepare a face, so that its first new picture comes at once.

    Args:
        face: Video, photo or folder of pictures.
        out: Folder to make; give it as --face afterwards.
        fps: Frames per second; leave out for those of the video.
        start: First second used.
        seconds: How much of it; leave out for all.
        select: Whose face: largest, a number from the left (0 is the first), x1,y1,x2,y2 in pixels, or a photo.
        face_backend: auto, dlib, face_alignment or s3fd.
    """
    from silvertalk.face.source import make_avatar

    frames = make_avatar(face, out, fps, start, select, seconds, face_backend)
    logging.info("%s: %d frames", out, frames)


COMMANDS = {"make": avatar_make}


def get_parser():
    """Return the parser with its subcommands."""
    return make_subcommands(COMMANDS, prog="silvertalk avatar")


def main(cmd: list[str] | None = None):
    """Run the command line."""
    run_subcommand(get_parser(), COMMANDS, cmd)
