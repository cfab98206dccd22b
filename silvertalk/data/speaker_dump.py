"""Speaker embeddings of a set: of every utterance, and their mean for every speaker."""

import io
import os
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import kaldiio
import numpy as np

from silvertalk.data.kaldi import Utterance, read_scp, write_scp
from silvertalk.data.parts import PartWriter
from silvertalk.media import read_audio
from silvertalk.media.mel import SAMPLING_RATE
from silvertalk.media.speaker import speaker_embedding
from silvertalk.utils import atomic_path, progress


def dump_embeddings(utterances: Sequence[Utterance], out_dir: str | os.PathLike, job: int) -> None:
    """Write the embeddings (256,) of one job's utterances; they become ``embed.scp``.

    Args:
        utterances: With sound.
        out_dir: The dump folder.
        job: 1-based number of the job.
    """
    with PartWriter(out_dir, job) as out:
        todo = [utterance for utterance in utterances if utterance.utt_id not in out.done]
        for utterance in progress(todo, desc=f"speakers {job}"):
            wav, _ = read_audio(utterance.wav, SAMPLING_RATE, utterance.start, utterance.end)
            out.add(utterance.utt_id, {"embed": speaker_embedding(wav)}, {})


def average_embeddings(data_dir: str | os.PathLike, out_dir: str | os.PathLike) -> int:
    """Average the embeddings of each speaker; the mean has length 1.

    Args:
        data_dir: Folder with ``utt2spk``.
        out_dir: Folder with ``embed.scp``; gets ``spk_embed.ark`` and ``spk_embed.scp``, by speaker, and
            ``utt2spk_embed.scp``, where each utterance has its speaker's.

    Returns:
        Number of speakers.
    """
    out_dir = Path(out_dir).absolute()
    places, utt2spk = read_scp(out_dir / "embed.scp"), read_scp(Path(data_dir) / "utt2spk")
    sums: dict[str, np.ndarray] = defaultdict(lambda: np.zeros(1))
    for utt_id, place in places.items():
        sums[utt2spk[utt_id]] = sums[utt2spk[utt_id]] + kaldiio.load_mat(place)
    means = {spk: (sums[spk] / np.linalg.norm(sums[spk])).astype(np.float32) for spk in sorted(sums)}
    archive = out_dir / "spk_embed.ark"
    offsets = io.StringIO()
    with atomic_path(archive) as temporary:
        kaldiio.save_ark(str(temporary), means, scp=offsets)
    ends = (line.rpartition(":")[2] for line in offsets.getvalue().splitlines())
    speakers = {spk: f"{archive}:{offset}" for spk, offset in zip(means, ends, strict=True)}
    write_scp(out_dir / "spk_embed.scp", speakers)
    write_scp(out_dir / "utt2spk_embed.scp", {utt_id: speakers[utt2spk[utt_id]] for utt_id in places})
    return len(means)
