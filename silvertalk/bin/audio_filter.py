"""Stage 4, sound: drop utterances too short, too long, too soft or too loud for the voice."""

import logging
from pathlib import Path

from silvertalk.data import iter_scp, subset_data_dir
from silvertalk.data.kaldi import SortedColumn
from silvertalk.utils import write_text
from silvertalk.utils.cli import worker

CLIPPED = 0.001  # share of the samples at full scale from which on a recording is listed


def filter_audio(
    org_dir: str,
    out_dir: str,
    fs: int,
    min_wav_duration: float = 0.1,
    max_wav_duration: float = 20.0,
    min_peak: float = -80.0,
    max_clipping: float = 1.0,
) -> None:
    """Filter one audio dump by length, level and clipping.

    What is dropped is listed in out_dir/dropped.tsv, what is clipped and kept in out_dir/clipped.tsv.

    Args:
        org_dir: Audio dump of stage 2, e.g. dump/raw/org/dev.
        out_dir: Folder to write, e.g. dump/raw/dev.
        fs: Sampling rate of the dump (Hz).
        min_wav_duration: Shorter utterances are dropped (seconds).
        max_wav_duration: Longer utterances are dropped (seconds).
        min_peak: Utterances that are nowhere louder are dropped (dBFS).
        max_clipping: Utterances of which more was cut off at full scale are dropped (share of the samples, 0..1).
    """
    peaks, shares = (SortedColumn(Path(org_dir) / name) for name in ("utt2peak", "utt2clipping"))
    dropped, clipped = {}, {}
    for utt_id, samples in iter_scp(f"{org_dir}/utt2num_samples"):
        seconds, peak, share = int(samples) / fs, peaks.get(utt_id), float(shares.get(utt_id) or 0)
        if not min_wav_duration <= seconds <= max_wav_duration:
            dropped[utt_id] = f"{seconds:.2f} s long, not within {min_wav_duration}..{max_wav_duration} s"
        elif peak is not None and float(peak) < min_peak:
            dropped[utt_id] = f"{peak} dBFS at its loudest, less than {min_peak}"
        elif share > max_clipping:
            dropped[utt_id] = f"{share:.2%} of the samples cut off at full scale, more than {max_clipping:.2%}"
        elif share >= CLIPPED:
            clipped[utt_id] = f"{share:.2%} of the samples cut off at full scale"
    for utt_id, reason in dropped.items():
        logging.warning("dropped %s: %s", utt_id, reason)
    kept = subset_data_dir(org_dir, out_dir, dropped)
    write_text(Path(out_dir) / "clipped.tsv", "".join(f"{key}\t{what}\n" for key, what in clipped.items()))
    logging.info("%s: %d utterances, %d dropped, %d clipped", out_dir, kept, len(dropped), len(clipped))


get_parser, main = worker(filter_audio)


if __name__ == "__main__":
    main()
