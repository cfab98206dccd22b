"""``silvertalk cartoon``: a drawing speaks."""

from silvertalk.bin.commands.common import report, run_with_talker, talker_parser, target


def cartoon(puppet: str, audio: str, out: str, stream: bool = False, setup=None) -> None:
    """Make a drawing say the sound of a file.

    Args:
        puppet: Folder of the drawing and its tables (silvertalk puppet make); the picture where it holds several.
        audio: Sound file, or a video whose sound is meant.
        out: The mp4 to write; - for standard output.
        stream: Write fragmented mp4, which can be played while it grows.
        setup: The talker's options.
    """
    talker = setup.talker()
    with target(out, stream) as file:
        report(talker.render_file(puppet, audio, file, setup.rendering()))


def get_parser():
    """Return the parser."""
    return talker_parser(cartoon, "cartoon", prog="silvertalk cartoon")


def main(cmd: list[str] | None = None):
    """Run the command line."""
    run_with_talker(cartoon, cmd, model="cartoon", prog="silvertalk cartoon")
