"""``silvertalk puppet make``: a drawing that can speak."""

import logging

from silvertalk.utils.cli import make_subcommands, run_subcommand


def puppet_make(
    image: str,
    out: str,
    landmarks: str | None = None,
    serve: bool = False,
    inner_lip: bool = False,
    face_backend: str = "auto",
    port: int = 0,
) -> None:
    """Make a puppet of a drawing.

    Args:
        image: The drawing, PNG (best with transparency around it) or JPEG.
        out: Folder to write.
        landmarks: Text file of 68 lines, x y in pixels; leave out to have them detected.
        serve: Place or correct them on a page in the browser; also done where no face is found.
        inner_lip: Let the lips' rims follow the opening: for drawings whose mouth is a mere line.
        face_backend: auto, dlib, face_alignment or s3fd.
        port: Of the page, on this machine only; 0 for any that is free.
    """
    from silvertalk.makeittalk.cartoon.puppet_editor import make_puppet_folder

    make_puppet_folder(image, out, landmarks, serve, inner_lip, face_backend, port)
    logging.info("%s: ready for silvertalk cartoon --puppet", out)


COMMANDS = {"make": puppet_make}


def get_parser():
    """Return the parser with its subcommands."""
    return make_subcommands(COMMANDS, prog="silvertalk puppet")


def main(cmd: list[str] | None = None):
    """Run the command line."""
    run_subcommand(get_parser(), COMMANDS, cmd)
