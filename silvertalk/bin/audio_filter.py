"""Stage 4, sound: drop utterances too short or too long for the voice."""

import logging

from silvertalk.data import iter_scp, subset_data_dir
from silvertalk.utils.cli import make_parser, run


def filter_audio(
    org_dir: str, out_dir: str, fs: int, min_wav_duration: float = 0.1, max_wav_duration: float = 20.0
) -> None:
    """Filter one audio dump by length.

    Args:
        org_dir: Audio dump of stage 2, e.g. dump/raw/org/dev.
        out_dir: Folder to write, e.g. dump/raw/dev.
        fs: Sampling rate of the dump (Hz).
        min_wav_duration: Shorter utterances are dropped (seconds).
        max_wav_duration: Longer utterances are dropped (seconds).
    """
    dropped = {}
    for utt_id, samples in iter_scp(f"{org_dir}/utt2num_samples"):
        seconds = int(samples) / fs
        if not min_wav_duration <= seconds <= max_wav_duration:
            dropped[utt_id] = f"{seconds:.2f} s long, not within {min_wav_duration}..{max_wav_duration} s"
            logging.warning("dropped %s: %s", utt_id, dropped[utt_id])
    kept = subset_data_dir(org_dir, out_dir, dropped)
    logging.info("%s: %d utterances, %d dropped", out_dir, kept, len(dropped))


def get_parser():
    """Return the parser."""
    return make_parser(filter_audio)


def main(cmd: list[str] | None = None):
    """Run the command line."""
    run(get_parser(), filter_audio, cmd)


if __name__ == "__main__":
    main()
