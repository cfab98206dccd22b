"""Stage 15: talking faces of a set."""

from dataclasses import replace

from silvertalk.bin.commands.common import run_with_talker, talker_parser
from silvertalk.media.timing import FPS


def face_decode(
    face_dir: str,
    out_dir: str,
    wav_scp: str | None = None,
    model: str = "wav2lip",
    job: int = 1,
    num_jobs: int = 1,
    setup=None,
) -> None:
    """Render the clips of a set, spoken by the voice and by recordings.

    Args:
        face_dir: Face dump of the set, e.g. dump/face/eval1.
        out_dir: Gets video/, recorded/, control/ and silence/.
        wav_scp: Sound of stage 8; without it only recordings are used.
        model: Name of the talker, see ``silvertalk lipsync``.
        job: Number of this job, 1..num_jobs.
        num_jobs: Number of jobs.
        setup: The talker's options.
    """
    from silvertalk.pipeline.decode import decode_set

    decode_set(setup.talker(), replace(setup.rendering(), fps=FPS), face_dir, wav_scp, out_dir, job, num_jobs)


def get_parser(model: str = "wav2lip"):
    """Return the parser, with the options of a talker."""
    return talker_parser(face_decode, model)


def main(cmd: list[str] | None = None):
    """Run the command line."""
    run_with_talker(face_decode, cmd)


if __name__ == "__main__":
    main()
