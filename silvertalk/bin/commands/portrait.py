"""``silvertalk portrait``: a photo moves."""

from silvertalk.bin.commands.common import report, run_with_talker, talker_parser, target


def portrait(image: str, audio: str, out: str, stream: bool = False, setup=None) -> None:
    """Make a photo move and say the sound of a file.

    Args:
        image: Photo; of a video its first usable frame is taken.
        audio: Sound file, or a video whose sound is meant.
        out: The mp4 to write; - for standard output.
        stream: Write fragmented mp4, which can be played while it grows.
        setup: The talker's options.
    """
    talker = setup.talker()
    with target(out, stream) as file:
        report(talker.render_file(image, audio, file, setup.rendering()))


def get_parser():
    """Return the parser."""
    return talker_parser(portrait, "makeittalk", prog="silvertalk portrait")


def main(cmd: list[str] | None = None):
    """Run the command line."""
    run_with_talker(portrait, cmd, model="makeittalk", prog="silvertalk portrait")
