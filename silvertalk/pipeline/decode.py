"""Stage 15: the clips of a set, spoken by the trained voice and by recordings.

Three videos of every clip, on the same face: ``video`` says what the voice
of stage 8 spoke; ``recorded`` says the clip's own recording, to be compared
with the real video; ``control`` says another clip's recording, which a model
that does not listen renders just as well. A few clips more hear ``silence``,
to see whether their mouths rest.
"""

import logging
import os
from dataclasses import replace
from pathlib import Path

import numpy as np

from silvertalk.data import PartWriter, read_scp, shard
from silvertalk.face.prepare.dump import fit_length
from silvertalk.media import read_audio
from silvertalk.utils import progress

SILENT_CLIPS = 8  # spread over the set; a mouth that moves in silence does so in most clips


def decode_set(
    renderer,
    options,
    face_dir: str | os.PathLike,
    wav_scp: str | os.PathLike | None,
    out_dir: str | os.PathLike,
    job: int,
    num_jobs: int,
) -> None:
    """Render one job's share of a set.

    Args:
        renderer: ``LipSync``, or anything with its method ``render``.
        options: How to render; their ``start`` is that of each clip.
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
    for utt_id in progress(shard(utt_ids, job, num_jobs), desc=f"videos {job}"):
        face, start = tables["source_video.scp"][utt_id], float(tables["source_start"][utt_id])
        options = replace(options, start=start)
        if utt_id in silent:
            _render_silence(renderer, face, tables["audio.scp"][utt_id], out_dir / "silence" / f"{utt_id}.mp4", options)
        # Neighbours in a sorted list often begin with the same words; the clip half a list away does not.
        other = utt_ids[(utt_ids.index(utt_id) + len(utt_ids) // 2) % len(utt_ids)]
        sounds = {"recorded": (utt_id, tables["audio.scp"][utt_id]), "control": (other, tables["audio.scp"][other])}
        if utt_id in spoken:
            sounds["video"] = (utt_id, spoken[utt_id])
        for kind, (sound_id, sound) in sounds.items():
            with PartWriter(out_dir / kind, job) as out:
                if utt_id in out.done:
                    continue
                try:
                    wav, rate = read_audio(sound)
                    if kind == "control":  # as long as the real video it is compared with
                        wav = fit_length(wav, len(read_audio(tables["audio.scp"][utt_id])[0]))
                    path = (out_dir / kind / f"{utt_id}.mp4").absolute()
                    renderer.render(face, wav, rate, path, options)
                except (RuntimeError, ValueError, FileNotFoundError) as error:
                    logging.warning("skipped %s (%s): %s", utt_id, kind, error)
                    out.skip(utt_id, str(error))
                else:
                    out.add(utt_id, {}, {"video.scp": str(path), "face.scp": face, "sound": sound_id})


def _render_silence(renderer, face: str, sound: str, out: Path, options) -> None:
    """Render a face that hears silence as long as its own recording."""
    if out.is_file():
        return
    try:
        wav, rate = read_audio(sound)
        renderer.render(face, np.zeros_like(wav), rate, out, options)
    except (RuntimeError, ValueError, FileNotFoundError) as error:
        logging.warning("skipped %s (silence): %s", out.stem, error)
