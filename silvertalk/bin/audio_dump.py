"""Stage 2: the sound of every utterance at one sampling rate."""

import logging
from pathlib import Path

from silvertalk.data import read_data_dir
from silvertalk.data.audio_dump import DumpOptions, dump_audio
from silvertalk.data.check import write_odd_lines
from silvertalk.utils.cli import worker


def audio_dump(
    data_dir: str,
    out_dir: str,
    fs: int = 16000,
    audio_format: str = "flac",
    trim_silence: bool = True,
    channel: int | None = None,
    level: float | None = None,
    job: int = 1,
    num_jobs: int = 1,
) -> None:
    """Dump the sound of a data directory.

    The first job also lists in out_dir/odd_lines.tsv what does not fit together in the tables.

    Args:
        data_dir: Kaldi data directory with wav.scp.
        out_dir: Dump folder, e.g. dump/raw/org/dev.
        fs: Sampling rate of the dump (Hz).
        audio_format: flac or wav, a file for each utterance; flac.ark or wav.ark, a Kaldi archive for each job.
        trim_silence: Cut silence at both ends of each utterance, but for 0.1 s.
        channel: Of recordings with several channels, the number of the one used, from 1; none mixes them.
        level: Bring the speech of each utterance to this root mean square (dB, e.g. -23); none leaves it as recorded.
        job: Number of this job, 1..num_jobs.
        num_jobs: Number of jobs.
    """
    options = DumpOptions(fs, audio_format, trim_silence, channel, level)
    utterances = read_data_dir(data_dir, job, num_jobs)
    if job == 1:
        odd = write_odd_lines(data_dir, Path(out_dir) / "odd_lines.tsv")
        logging.info("%s: %d lines without a partner in another table", data_dir, odd)
    dump_audio(utterances, out_dir, job, options)


get_parser, main = worker(audio_dump)


if __name__ == "__main__":
    main()
