"""What AutoVC is trained on: spectrogram, pitch and speaker of every utterance, computed once and kept in archives."""

import logging
import os
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from lightning.pytorch.utilities import rank_zero_only
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from silvertalk.data import PartWriter, Utterance, combine_parts, iter_data_dir, iter_scp, read_rows, read_scp, shard
from silvertalk.data.kaldi import SortedColumn, iter_sorted
from silvertalk.makeittalk.sound import autovc_mel, f0_bins, filter_wav, match_level
from silvertalk.media import read_audio
from silvertalk.media.mel import SAMPLING_RATE
from silvertalk.media.speaker import embed_voice, to_pcm
from silvertalk.training.sampling import ClipDataset
from silvertalk.utils import progress, write_text

WINDOW = 128  # frames (2 s) of a sample, as in the paper
NO_CLASS = -1  # pitch of a frame that was added to a short clip
DONE = ".done"
LOOK_AGAIN = 1.0  # seconds between two looks at another process's work


def prepare_features(data_dirs: list[str], out_dir: str | os.PathLike, num_workers: int = 0) -> None:
    """Compute the features of several sets, and go on where a killed run stopped; done work is not done again.

    Written are the archives ``mel`` (T, 80), ``f0`` (T, 1) and ``embedding`` (1, 256), ``utt2spk`` and
    ``utt2num_frames``. An utterance that is in several sets counts once. Of several processes the first does it,
    the others wait.

    Args:
        data_dirs: Folders of Kaldi tables with ``utt2spk`` and sound: ``audio.scp`` (dump/face/<set>), else
            ``wav.scp`` (dump/raw/<set>, data/<set>).
        out_dir: Folder to write.
        num_workers: Processes that help.

    Raises:
        FileNotFoundError: A set has no sound.
        RuntimeError: Most of the utterances cannot be used.
    """
    out_dir = Path(out_dir)
    # What it was made from: it is made anew from other sets.
    wanted = "".join(f"{Path(folder).absolute()} {sum(1 for _ in iter_utterances(folder))}\n" for folder in data_dirs)
    marker = out_dir / DONE
    while not marker.is_file() or marker.read_text(encoding="utf-8") != wanted:
        if rank_zero_only.rank == 0:
            marker.unlink(missing_ok=True)
            _compute(data_dirs, out_dir, num_workers)
            write_text(marker, wanted)
        else:
            time.sleep(LOOK_AGAIN)


def iter_utterances(data_dir: str | os.PathLike) -> Iterator[Utterance]:
    """Read the utterances of a set that have sound, line by line.

    Raises:
        FileNotFoundError: None can have any.
    """
    data_dir = Path(data_dir)
    if (data_dir / "audio.scp").is_file():
        audio = SortedColumn(data_dir / "audio.scp")
        utterances = (
            Utterance(utt_id, spk, wav=audio.get(utt_id)) for utt_id, spk in iter_sorted(data_dir / "utt2spk")
        )
    elif (data_dir / "wav.scp").is_file():
        utterances = iter_data_dir(data_dir)
    else:
        raise FileNotFoundError(f"no {data_dir}/audio.scp or wav.scp; run stages 1 to 4")
    return (utterance for utterance in utterances if utterance.wav is not None)


def _compute(data_dirs: list[str], out_dir: Path, num_workers: int) -> None:
    """Compute what is missing, and write the tables."""
    begin, num_utts = time.time(), sum(1 for folder in data_dirs for _ in iter_utterances(folder))
    with PartWriter(out_dir, 1) as out:
        features = _Features(data_dirs, frozenset(out.done))
        loader = DataLoader(features, batch_size=None, num_workers=num_workers, collate_fn=_as_it_is)
        for utterance, matrices in progress(loader, "sound", num_utts - len(out.done)):
            if utterance.utt_id in out.done:
                continue
            if isinstance(matrices, str):
                logging.warning("skipped %s: %s", utterance.utt_id, matrices)
                out.skip(utterance.utt_id, matrices)
            else:
                values = {"utt2spk": utterance.spk, "utt2num_frames": len(matrices["mel"])}
                out.add(utterance.utt_id, matrices, values)
    done, skipped = combine_parts(out_dir, (u.utt_id for folder in data_dirs for u in iter_utterances(folder)))
    logging.info("%s: %d utterances, %d skipped, %.0f s", out_dir, done, len(skipped), time.time() - begin)


class _Features(IterableDataset):
    """Computes the features of the utterances that are not done; of several loader processes each does its share."""

    def __init__(self, data_dirs: list[str], done: frozenset[str]):
        self.data_dirs, self.done = data_dirs, done

    def __iter__(self) -> Iterator[tuple[Utterance, dict[str, np.ndarray] | str]]:
        worker = get_worker_info()
        utterances = (u for folder in self.data_dirs for u in iter_utterances(folder) if u.utt_id not in self.done)
        for utterance in shard(utterances, worker.id + 1, worker.num_workers) if worker else utterances:
            try:
                wav, _ = read_audio(utterance.wav, SAMPLING_RATE, utterance.start, utterance.end)
                yield utterance, voice_features(wav)
            except (RuntimeError, ValueError, FileNotFoundError) as error:
                yield utterance, str(error)


def _as_it_is(item):
    return item


def voice_features(wav: np.ndarray) -> dict[str, np.ndarray]:
    """Compute what AutoVC learns from.

    Args:
        wav: 16 kHz sound, float (N,) in [-1, 1].

    Returns:
        mel (T, 80), f0 (T, 1) classes, embedding (1, 256).

    Raises:
        ValueError: It is too short, or silent.
    """
    pcm = match_level(to_pcm(wav))
    if not pcm.any():
        raise ValueError("the sound is silent; leave it out")
    filtered = filter_wav(pcm)
    return {"mel": autovc_mel(filtered), "f0": f0_bins(filtered)[:, None], "embedding": embed_voice(pcm)[None]}


@dataclass(slots=True)
class VoiceClip:
    """One utterance; of matrices the place in an archive is known, "file:offset"."""

    utt_id: str
    spk: str
    num_frames: int  # at 62.5 per second
    mel: str  # (T, 80)
    f0: str  # (T, 1) classes


def load_voice_clips(features_dir: str | os.PathLike) -> list[VoiceClip]:
    """List what ``prepare_features`` wrote."""
    folder = Path(features_dir)
    utt2spk, frames, mel, f0 = (read_scp(folder / name) for name in ("utt2spk", "utt2num_frames", "mel.scp", "f0.scp"))
    return [VoiceClip(key, spk, int(frames[key]), mel[key], f0[key]) for key, spk in utt2spk.items()]


def speaker_means(embeddings: Iterable[tuple[str, np.ndarray]], utt2spk: dict[str, str]) -> dict[str, np.ndarray]:
    """Average the embeddings of every speaker's utterances.

    Args:
        embeddings: Utterance id and (256,).
        utt2spk: Speaker of each utterance.

    Returns:
        Speaker -> float32 (256,).
    """
    sums: dict[str, np.ndarray] = {}
    counts: dict[str, int] = {}
    for utt_id, embedding in embeddings:
        spk = utt2spk[utt_id]
        sums[spk] = sums.get(spk, 0) + np.asarray(embedding, np.float64)
        counts[spk] = counts.get(spk, 0) + 1
    return {spk: (total / counts[spk]).astype(np.float32) for spk, total in sums.items()}


def load_speakers(features_dir: str | os.PathLike) -> dict[str, np.ndarray]:
    """Average the embeddings that ``prepare_features`` wrote: speaker -> float32 (256,)."""
    folder = Path(features_dir)
    embeddings = ((key, read_rows(place, 0, 1)[0]) for key, place in iter_scp(folder / "embedding.scp"))
    return speaker_means(embeddings, read_scp(folder / "utt2spk"))


class VoiceDataset(ClipDataset):
    """Random windows of voices; clips that are shorter are filled up with silence.

    Args:
        clips: What to draw from.
        speakers: Speaker -> (256,).
        seed: See ``ClipDataset``.
        speaker_balance: See ``ClipDataset``.

    Items:
        mel: float32 (128, 80).
        f0: int64 (128,), classes; -1 where silence was added.
        embedding: float32 (256,), of the speaker.
    """

    def __init__(
        self, clips: list[VoiceClip], speakers: dict[str, np.ndarray], seed: int, speaker_balance: float = 0.0
    ):
        super().__init__(clips, seed, speaker_balance)
        self.speakers = speakers

    def __getitem__(self, index: int) -> dict[str, torch.Tensor]:
        rng, clip = self._draw(index)
        first = int(rng.integers(max(clip.num_frames - WINDOW, 0) + 1))
        mel, f0 = (read_rows(place, first, first + WINDOW) for place in (clip.mel, clip.f0))
        missing = WINDOW - len(mel)
        return {
            "mel": torch.from_numpy(np.pad(mel, ((0, missing), (0, 0)))),
            "f0": torch.from_numpy(np.pad(f0[:, 0].astype(np.int64), (0, missing), constant_values=NO_CLASS)),
            "embedding": torch.from_numpy(self.speakers[clip.spk]),
        }
