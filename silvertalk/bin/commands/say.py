"""``silvertalk say``: a face says a text."""

from silvertalk.bin.commands.common import report, run_with_talker, talker_parser, target
from silvertalk.tts.options import SpeakOptions


def say(
    text: str,
    face: str,
    out: str,
    tts_exp: str | None = None,
    speed: float = 1.0,
    captions: list[str] | None = None,
    stream: bool = False,
    model: str = "wav2lip",
    setup=None,
) -> None:
    """Make a face say a text.

    Args:
        text: What to say.
        face: Video, photo, folder of pictures, avatar or puppet; of a video makeittalk takes the first usable frame.
        out: The mp4 to write; - for standard output.
        tts_exp: Folder of the voice; leave out for the newest in expdir, or the English voice of the package.
        speed: Factor on the rate of speech, 0.25 to 4; 0.8 is slower.
        captions: Captions to write, too: names that end in .srt or .vtt.
        stream: Write fragmented mp4, which can be played while it grows.
        model: wav2lip: the lips of a film move; makeittalk: a photo moves; cartoon: a puppet; or another's name. With
            --help it shows the options of that one.
        setup: The talker's options.
    """
    from silvertalk.pipeline import TalkingFace
    from silvertalk.tts.captions import check_names
    from silvertalk.tts.default import load_voice

    check_names(captions or (), None)
    speaking = SpeakOptions(speed=speed)
    talker = setup.talker()  # the quicker one to miss something
    voice = load_voice(setup.expdir, tts_exp, setup.device)
    with target(out, stream) as file:
        report(TalkingFace(voice, talker).say(text, face, file, setup.rendering(), speaking, captions or ()))


def get_parser(model: str = "wav2lip"):
    """Return the parser, with the options of a talker."""
    return talker_parser(say, model, prog="silvertalk say")


def main(cmd: list[str] | None = None):
    """Run the command line."""
    run_with_talker(say, cmd, prog="silvertalk say")
