"""Stage 15: talking-face videos of a set."""

from silvertalk.face.prepare.dump import FPS
from silvertalk.pipeline.decode import decode_set
from silvertalk.utils.cli import make_parser, run
from silvertalk.wav2lip.lipsync import LipSync
from silvertalk.wav2lip.options import RenderOptions


def lipsync_decode(
    face_dir: str,
    wav2lip_exp: str,
    out_dir: str,
    wav_scp: str | None = None,
    face_backend: str = "auto",
    device: str = "cpu",
    job: int = 1,
    num_jobs: int = 1,
) -> None:
    """Render the clips of a set, spoken by the voice and by recordings.

    Args:
        face_dir: Face dump of the set, e.g. dump/face/eval1.
        wav2lip_exp: Folder of the trained generator.
        out_dir: Gets video/, recorded/, control/ and silence/.
        wav_scp: Sound of stage 8; without it only recordings are used.
        face_backend: auto, dlib, face_alignment or s3fd.
        device: cpu or cuda.
        job: Number of this job, 1..num_jobs.
        num_jobs: Number of jobs.
    """
    lipsync = LipSync.from_exp(wav2lip_exp, backend=face_backend, device=device)
    decode_set(lipsync, RenderOptions(fps=FPS), face_dir, wav_scp, out_dir, job, num_jobs)


def get_parser():
    """Return the parser."""
    return make_parser(lipsync_decode)


def main(cmd: list[str] | None = None):
    """Run the command line."""
    run(get_parser(), lipsync_decode, cmd)


if __name__ == "__main__":
    main()
