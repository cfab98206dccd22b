"""Stage 15: talking portraits of a set."""

from silvertalk.face.prepare.dump import FPS
from silvertalk.makeittalk.options import PortraitOptions
from silvertalk.pipeline.decode import decode_set
from silvertalk.pipeline.refine import load_portrait
from silvertalk.utils.cli import make_parser, run


def makeittalk_decode(
    face_dir: str,
    autovc_exp: str,
    content_exp: str,
    speaker_exp: str,
    translation_exp: str,
    out_dir: str,
    wav_scp: str | None = None,
    statistics: str | None = None,
    refine: str | None = None,
    wav2lip_exp: str | None = None,
    face_backend: str = "auto",
    device: str = "cpu",
    job: int = 1,
    num_jobs: int = 1,
) -> None:
    """Animate the first usable frame of every clip of a set, spoken by the voice and by recordings.

    Args:
        face_dir: Face dump of the set, e.g. dump/face/eval1.
        autovc_exp: Folder of the voice conversion, or a published checkpoint.
        content_exp: The same of the content branch.
        speaker_exp: The same of the speaker-aware branch.
        translation_exp: The same of the image translation.
        out_dir: Gets video/, recorded/, control/ and silence/.
        wav_scp: Sound of stage 8; without it only recordings are used.
        statistics: Statistics of stage 11, or a copy of the published code; leave out for those of the content branch.
        refine: wav2lip: its generator draws the lips once more.
        wav2lip_exp: Folder of that generator.
        face_backend: auto, dlib, face_alignment or s3fd.
        device: cpu or cuda.
        job: Number of this job, 1..num_jobs.
        num_jobs: Number of jobs.
    """
    renderer = load_portrait(
        refine=refine, wav2lip_exp=wav2lip_exp, autovc=autovc_exp, content=content_exp, speaker=speaker_exp,
        translation=translation_exp, statistics=statistics, backend=face_backend, device=device,
    )  # fmt: skip
    decode_set(renderer, PortraitOptions(fps=FPS), face_dir, wav_scp, out_dir, job, num_jobs)


def get_parser():
    """Return the parser."""
    return make_parser(makeittalk_decode)


def main(cmd: list[str] | None = None):
    """Run the command line."""
    run(get_parser(), makeittalk_decode, cmd)


if __name__ == "__main__":
    main()
