"""Stage 2: the sound of every utterance at one sampling rate."""

from silvertalk.data import read_data_dir
from silvertalk.data.audio_dump import dump_audio
from silvertalk.utils.cli import make_parser, run


def audio_dump(
    data_dir: str,
    out_dir: str,
    fs: int = 16000,
    audio_format: str = "flac",
    trim_silence: bool = True,
    job: int = 1,
    num_jobs: int = 1,
) -> None:
    """Dump the sound of a data directory.

    Args:
        data_dir: Kaldi data directory with wav.scp.
        out_dir: Dump folder, e.g. dump/raw/org/dev.
        fs: Sampling rate of the dump (Hz).
        audio_format: flac or wav.
        trim_silence: Cut silence at both ends of each utterance, but for 0.1 s.
        job: Number of this job, 1..num_jobs.
        num_jobs: Number of jobs.
    """
    if audio_format not in ("flac", "wav"):
        raise ValueError(f"--audio_format takes flac or wav, not '{audio_format}'")
    if fs < 8000:
        raise ValueError(f"--fs {fs}: speech needs at least 8000 Hz")
    dump_audio(read_data_dir(data_dir, job, num_jobs), out_dir, job, fs, audio_format, trim_silence)


def get_parser():
    """Return the parser."""
    return make_parser(audio_dump)


def main(cmd: list[str] | None = None):
    """Run the command line."""
    run(get_parser(), audio_dump, cmd)


if __name__ == "__main__":
    main()
