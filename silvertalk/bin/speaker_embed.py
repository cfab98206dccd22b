"""Stage 5, voices of several speakers: what each utterance tells of its speaker."""

from silvertalk.data import read_data_dir
from silvertalk.data.speaker_dump import dump_embeddings
from silvertalk.utils.cli import worker


def speaker_embed(data_dir: str, out_dir: str, job: int = 1, num_jobs: int = 1) -> None:
    """Write the speaker embedding (resemblyzer, 256 values) of every utterance.

    Args:
        data_dir: Audio dump of stage 4, e.g. dump/raw/dev.
        out_dir: Folder to write, e.g. dump/spk_embed/dev.
        job: Number of this job, 1..num_jobs.
        num_jobs: Number of jobs.
    """
    dump_embeddings(read_data_dir(data_dir, job, num_jobs), out_dir, job)


get_parser, main = worker(speaker_embed)


if __name__ == "__main__":
    main()
