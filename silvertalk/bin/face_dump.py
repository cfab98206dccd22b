"""Stage 3: video -> 25 fps face track, landmarks, 16 kHz sound and mel."""

from silvertalk.data import read_data_dir
from silvertalk.face.prepare.dump import dump_faces
from silvertalk.utils.cli import worker


def face_dump(
    data_dir: str,
    out_dir: str,
    face_backend: str = "auto",
    face_size: int = 256,
    face_input: str = "video",
    face_select: str = "speaking",
    job: int = 1,
    num_jobs: int = 1,
) -> None:
    """Dump the faces of a data directory.

    Args:
        data_dir: Kaldi data directory with video.scp.
        out_dir: Dump folder, e.g. dump/face/org/dev.
        face_backend: auto, dlib, face_alignment or s3fd.
        face_size: Side of the stored face pictures (pixels).
        face_input: video (the face is looked for), or mouth (the pictures show a mouth and nothing else).
        face_select: Of several faces, where the corpus does not say which: speaking (moves with the sound), or largest.
        job: Number of this job, 1..num_jobs.
        num_jobs: Number of jobs.
    """
    dump_faces(read_data_dir(data_dir, job, num_jobs), out_dir, job, face_backend, face_size, face_input, face_select)


get_parser, main = worker(face_dump)


if __name__ == "__main__":
    main()
