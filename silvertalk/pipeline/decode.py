"""Stage 15: the clips of a set, spoken by the trained voice and by recordings.

Three videos of every clip, on the same face: ``video`` says what the voice
of stage 8 spoke; ``recorded`` says the clip's own recording, to be compared
with the real video; ``control`` says another clip's recording, which a model
that does not listen renders just as well. A few clips more hear ``silence``,
to see whether their mouths rest.
"""

import contextlib
import logging
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from silvertalk.data import PartWriter, read_scp, shard
from silvertalk.face.prepare.dump import fit_length
from silvertalk.media import read_audio
from silvertalk.talker.base import Talker
from silvertalk.talker.options import VideoOptions
from silvertalk.utils import progress

SILENT_CLIPS = 8  # spread over the set; a mouth that moves in silence does so in most clips


def decode_set(
    talker: Talker,
    options: VideoOptions,
    face_dir: str | os.PathLike,
    wav_scp: str | os.PathLike | None,
    out_dir: str | os.PathLike,
    job: int,
    num_jobs: int,
) -> None:
    """Render one job's share of a set.

    Args:
        talker: Makes the faces speak.
        options: How to render; where they have a ``start``, it is that of each clip.
        face_dir: Face dump of the set (stage 4).
        wav_scp: Sound made by stage 8, or None without a voice.
        out_dir: Gets ``{video,recorded,control}/<utt>.mp4``, and ``silence/<utt>.mp4`` of some; what exists is kept.
        job: 1-based number of the job.
        num_jobs: Number of jobs.
    """
    out_dir = Path(out_dir)
    tables = {name: read_scp(Path(face_dir) / name) for name in ("source_video.scp", "source_start", "audio.scp")}
    spoken = read_scp(wav_scp) if wav_scp else {}
    utt_ids = list(tables["audio.scp"])
    silent = set(utt_ids[:: max(1, len(utt_ids) // SILENT_CLIPS)][:SILENT_CLIPS])
    kinds = ("recorded", "control", "video") if spoken else ("recorded", "control")
    with contextlib.ExitStack() as stack:
        parts = {kind: stack.enter_context(PartWriter(out_dir / kind, job)) for kind in kinds}
        for utt_id in progress(shard(utt_ids, job, num_jobs), desc=f"videos {job}"):
            face, start = tables["source_video.scp"][utt_id], float(tables["source_start"][utt_id])
            own = tables["audio.scp"][utt_id]
            moved: dict[str, Any] = {"start": start} if hasattr(options, "start") else {}
            options = replace(options, **moved)
            if utt_id in silent:
                _render_silence(talker, face, own, out_dir / "silence" / f"{utt_id}.mp4", options)
            # Neighbours in a sorted list often begin with the same words; the clip half a list away does not.
            other = utt_ids[(utt_ids.index(utt_id) + len(utt_ids) // 2) % len(utt_ids)]
            sounds = {"recorded": (utt_id, own), "control": (other, tables["audio.scp"][other])}
            if utt_id in spoken:
                sounds["video"] = (utt_id, spoken[utt_id])
            for kind, (sound_id, sound) in sounds.items():
                if utt_id not in parts[kind].done:
                    length = own if kind == "control" else None  # that of the real video it is compared with
                    path = (out_dir / kind / f"{utt_id}.mp4").absolute()
                    _render_clip(talker, face, (sound_id, sound, length), path, options, parts[kind])


def _render_clip(talker: Talker, face: str, sound: tuple, path: Path, options: VideoOptions, out: PartWriter) -> None:
    """Render a face that says a sound.

    Args:
        talker: Makes it speak.
        face: Its video.
        sound: Utterance and file of the sound, and the file it is made as long as, or None.
        path: The video, named after the clip.
        options: How.
        out: Keeps a record of it.
    """
    sound_id, file, length = sound
    try:
        wav, rate = read_audio(file)
        if length is not None:
            wav = fit_length(wav, len(read_audio(length)[0]))
        talker.render(face, wav, rate, path, options)
    except (RuntimeError, ValueError, FileNotFoundError) as error:
        logging.warning("skipped %s (%s): %s", path.stem, path.parent.name, error)
        out.skip(path.stem, str(error))
    else:
        out.add(path.stem, {}, {"video.scp": str(path), "face.scp": face, "sound": sound_id})


def _render_silence(talker, face: str, sound: str, out: Path, options) -> None:
    """Render a face that hears silence as long as its own recording."""
    if out.is_file():
        return
    try:
        wav, rate = read_audio(sound)
        talker.render(face, np.zeros_like(wav), rate, out, options)
    except (RuntimeError, ValueError, FileNotFoundError) as error:
        logging.warning("skipped %s (silence): %s", out.stem, error)
