"""Stage 16, lips: compare generated videos with the recordings."""

from silvertalk.data import read_scp
from silvertalk.evaluate.clip import Networks
from silvertalk.evaluate.score_lips import FaceDump, LipScorer, decoded_videos, score_job
from silvertalk.utils.cli import worker


def score_lips(
    decode_dir: str,
    face_dir: str,
    out_dir: str,
    syncnet_exp: str | None = None,
    syncnet_v2: str | None = None,
    wav_scp: str | None = None,
    face_backend: str = "auto",
    job: int = 1,
    num_jobs: int = 1,
) -> None:
    """Score the lips of generated videos.

    Args:
        decode_dir: Stage 15's folder of one set, e.g. exp/wav2lip_X/decode_latest/eval1.
        face_dir: Face dump of that set, e.g. dump/face/eval1.
        out_dir: Score folder; the report merges the jobs into out_dir/lips.tsv.
        syncnet_exp: Folder of the trained expert; without it its figures are left out.
        syncnet_v2: syncnet_v2.model, or a folder that may hold it; without it LSE-D and LSE-C are left out.
        wav_scp: Sound of stage 8; without it the sound in the videos is taken for the kind "video".
        face_backend: auto, dlib, face_alignment or s3fd; the one stage 3 used.
        job: Number of this job, 1..num_jobs.
        num_jobs: Number of jobs.
    """
    dump = FaceDump(face_dir)
    videos = decoded_videos(decode_dir, dump, read_scp(wav_scp) if wav_scp else None)
    scorer = LipScorer(dump, Networks.load(syncnet_exp, syncnet_v2), face_backend)
    score_job(videos, scorer, out_dir, job, num_jobs)


get_parser, main = worker(score_lips)


if __name__ == "__main__":
    main()
