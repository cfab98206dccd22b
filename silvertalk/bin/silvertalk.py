"""The ``silvertalk`` command."""

import logging
import sys

from silvertalk.utils.cli import make_parser, run_subcommand


def say(
    text: str,
    face: str,
    out: str,
    expdir: str = "exp",
    tts_exp: str | None = None,
    wav2lip_exp: str | None = None,
    face_backend: str = "auto",
    device: str = "cpu",
) -> None:
    """Make a face say a text.

    Args:
        text: What to say.
        face: Video or photo of a face.
        out: The mp4 to write.
        expdir: Folder of experiments; the newest voice and generator in it are used.
        tts_exp: Folder of the voice, instead.
        wav2lip_exp: Folder of the generator, instead.
        face_backend: auto, dlib or face_alignment.
        device: cpu or cuda.
    """
    from silvertalk.pipeline import TalkingFace

    result = TalkingFace.from_exp(expdir, tts_exp, wav2lip_exp, face_backend, device).say(text, face, out)
    logging.info("%s: %.2f s at %g fps", result.out, result.num_frames / result.fps, result.fps)


def lipsync(
    audio: str,
    face: str,
    out: str,
    expdir: str = "exp",
    wav2lip_exp: str | None = None,
    face_backend: str = "auto",
    device: str = "cpu",
) -> None:
    """Make a face say the sound of a file.

    Args:
        audio: Sound file, or a video whose sound is meant.
        face: Video or photo of a face.
        out: The mp4 to write.
        expdir: Folder of experiments; the newest generator in it is used.
        wav2lip_exp: Folder of the generator, instead.
        face_backend: auto, dlib or face_alignment.
        device: cpu or cuda.
    """
    from silvertalk.pipeline.talking_face import newest_experiment
    from silvertalk.wav2lip.lipsync import LipSync

    folder = wav2lip_exp or newest_experiment(expdir, "wav2lip_")
    result = LipSync.from_exp(folder, backend=face_backend, device=device).sync_file(face, audio, out)
    logging.info("%s: %.2f s at %g fps", result.out, result.num_frames / result.fps, result.fps)


COMMANDS = {"say": say, "lipsync": lipsync}


def get_parser():
    """Return the parser with its subcommands."""
    from jsonargparse import ArgumentParser

    from silvertalk import __version__

    parser = ArgumentParser(prog="silvertalk", description="From a text to a talking face.", version=__version__)
    subcommands = parser.add_subcommands()
    for name, function in COMMANDS.items():
        subcommands.add_subcommand(name, make_parser(function), help=function.__doc__.splitlines()[0])
    return parser


def main(cmd: list[str] | None = None):
    """Run the command line."""
    run_subcommand(get_parser(), COMMANDS, cmd)


if __name__ == "__main__":
    sys.exit(main())
