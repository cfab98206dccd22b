"""Score any two folders of videos, so that every system is judged on the same footing.

Clips are matched by their names without suffix. A clip is a video, or a folder
of numbered pictures (25 a second, lossless where they are PNG); its sound is
its own, or a sound file of the same name beside it, which no codec has
delayed.
"""

import logging
import multiprocessing
import os
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from silvertalk.evaluate import plots
from silvertalk.evaluate.clip import Clip, Networks
from silvertalk.evaluate.jobs import file_stamp, find_files, forget_others, write_page
from silvertalk.evaluate.metrics import REAL, SILENCE
from silvertalk.evaluate.report import lip_tables, load_scores, not_scored
from silvertalk.evaluate.score_lips import GeneratedVideo, LipScorer, score_job
from silvertalk.face import make_backend, track_video
from silvertalk.media import read_audio, read_frames
from silvertalk.media.mel import SAMPLING_RATE
from silvertalk.media.timing import FPS
from silvertalk.media.video import IMAGE_SUFFIXES
from silvertalk.utils import progress, write_text

VIDEO_SUFFIXES = {".mp4", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".m4v", ".ts", ".flv", ".wmv"}
SOUND_SUFFIXES = (".wav", ".flac")
LISTED = 10  # names of missing clips in the log; all are in a file
POLL = 0.5  # seconds


@dataclass
class VideoFile:
    """A video and its sound."""

    path: Path
    sound: Path


def find_clips(folder: str | os.PathLike) -> dict[str, VideoFile]:
    """List the videos and folders of pictures of a folder, at any depth, by their names; see ``find_files``."""
    what = f"videos ({', '.join(sorted(VIDEO_SUFFIXES))}) or folders of pictures"
    files = {}
    for name, path in find_files(folder, _is_clip, what).items():
        beside = (path.parent / f"{path.name if path.is_dir() else path.stem}{suffix}" for suffix in SOUND_SUFFIXES)
        files[name] = VideoFile(path, next((sound for sound in beside if sound.is_file()), path))
    return files


def _is_clip(path: Path) -> bool:
    """Whether it is a video, or a folder of pictures."""
    if path.is_dir():
        return any(inner.suffix.lower() in IMAGE_SUFFIXES for inner in path.iterdir())
    return path.suffix.lower() in VIDEO_SUFFIXES


Found = tuple[dict[str, VideoFile], dict[str, dict[str, VideoFile]]]  # the real clips, and those of each system


class RealVideos:
    """The recordings to compare with, tracked when they are asked for; has what ``LipScorer`` needs."""

    def __init__(self, clips: dict[str, VideoFile], backend):
        self.utterances, self.clips, self._backend = list(clips), clips, backend

    def recording(self, utt_id: str, networks: Networks) -> Clip:
        """Give a recording to the metrics."""
        file = self.clips[utt_id]
        track = track_video(file.path, self._backend, FPS)
        frames, sound = lambda: read_frames(file.path, FPS), lambda: read_audio(file.sound, SAMPLING_RATE)[0]
        return Clip(REAL, track, frames, sound, networks)


@dataclass(kw_only=True)
class Scoring:
    """What is scored and how; each of several processes gets all of it."""

    out_dir: str
    syncnet_exp: str | None = None
    syncnet_v2: str | None = None
    lse_crop: str = "face"
    face_backend: str = "auto"
    device: str = "cpu"

    compared = True  # whether a generated clip should do what the real one does
    matched = True  # whether a generated clip belongs to a real one

    def clips(self) -> Found:
        """The real clips, and those of each system."""
        raise NotImplementedError

    def settings(self, real: dict[str, VideoFile], systems: dict[str, dict[str, VideoFile]]) -> dict:
        """What the figures depend on: files with sizes and times, and options."""
        files = [
            (label, name, *(str(p) for p in (clip.path, clip.sound)), *file_stamp(clip.path), *file_stamp(clip.sound))
            for label, clips in ((REAL, real), *systems.items())
            for name, clip in clips.items()
        ]
        options = [self.syncnet_exp, self.syncnet_v2, self.lse_crop, self.face_backend]
        return {"files": files, "options": options}

    def tools(self) -> tuple[object, Networks]:
        """Load the face backend and the networks that score."""
        networks = Networks.load(self.syncnet_exp, self.syncnet_v2, self.lse_crop, self.device)
        return make_backend(self.face_backend, self.device), networks

    def score(self, job: int = 1, num_jobs: int = 1, quiet: bool = False) -> None:
        """Score one job's share."""
        real, systems = self.clips()
        backend, networks = self.tools()
        videos = {
            label: {name: GeneratedVideo(clip.path, clip.sound, compared=self.compared) for name, clip in clips.items()}
            for label, clips in systems.items()
        }
        score_job(videos, LipScorer(RealVideos(real, backend), networks, backend), self.out_dir, job, num_jobs, quiet)


@dataclass(kw_only=True)
class FolderScoring(Scoring):
    """Folders whose clips are matched by name."""

    real: str
    generated: list[str]

    def clips(self) -> Found:
        return find_clips(self.real), {label: find_clips(path) for label, path in label_folders(self.generated).items()}


def label_folders(folders: Iterable[str]) -> dict[str, str]:
    """Name each folder by its last part, and by as many more as tell it from the others and the real row."""
    labels: dict[str, str] = {}
    for folder in folders:
        parts = Path(folder).absolute().parts[1:]
        names = ("_".join(parts[-k:]).replace(" ", "_") for k in range(1, len(parts) + 1))
        label = next((name for name in names if name not in (*labels, REAL, SILENCE)), None)
        if label is None:
            raise ValueError(f"{folder} was given twice, or cannot be named; give each folder once")
        labels[label] = folder
    return labels


def run_scoring(scoring: Scoring, jobs: int = 1) -> str:
    """Score, and write tables and a page.

    A run that was stopped goes on with the next clip; when a video or an
    option changed, everything is scored again.

    Args:
        scoring: What and how.
        jobs: Processes.

    Returns:
        The page (Markdown), also written to ``out_dir/scores.md``.

    Raises:
        FileNotFoundError: A folder without videos.
        ValueError: A system has none of the real clips, or there are no processes.
        RuntimeError: A process ended early.
    """
    if jobs < 1:
        raise ValueError(f"jobs {jobs} is below 1")
    real, systems = scoring.clips()
    unmatched = _unmatched(real, systems) if scoring.matched else []
    out_dir = Path(scoring.out_dir)
    forget_others(out_dir / "lips", scoring.settings(real, systems))
    jobs = min(jobs, len(real))
    if jobs == 1:
        scoring.score()
    else:
        _run_jobs(scoring, jobs, len(real))
    return _write_page(scoring, real, systems, unmatched)


def _unmatched(real: dict, systems: dict[str, dict]) -> list[str]:
    """Lines about clips that only one side has: ``system, missing or extra, name``; also logged."""
    lines = []
    for label, clips in systems.items():
        if not set(clips) & set(real):
            raise ValueError(
                f"no clip of {label} has the name of a real one (e.g. {next(iter(clips), 'none')} against "
                f"{next(iter(real))}); clips are matched by file name without suffix"
            )
        for what, names in (("missing", set(real) - set(clips)), ("extra", set(clips) - set(real))):
            lines += [f"{label}\t{what}\t{name}" for name in sorted(names)]
            if names:
                shown = ", ".join(sorted(names)[:LISTED]) + (", ..." if len(names) > LISTED else "")
                logging.warning("%s: clips %s: %d, %s", label, what, len(names), shown)
    return lines


def _run_jobs(scoring: Scoring, jobs: int, total: int) -> None:
    """Run processes and show how many clips are done."""
    context = multiprocessing.get_context("spawn")  # a forked process may not use the parent's threads
    threads = max(1, len(os.sched_getaffinity(0)) // jobs) if hasattr(os, "sched_getaffinity") else 1
    processes = [context.Process(target=_job, args=(scoring, k + 1, jobs, threads)) for k in range(jobs)]
    parts = Path(scoring.out_dir) / "lips" / "parts"
    for process in processes:
        process.start()
    with progress(None, desc="clips", total=total) as bar:
        while any(process.is_alive() for process in processes):
            time.sleep(POLL)
            bar.update(sum(path.read_bytes().count(b"\n") for path in parts.glob("part.*.jsonl")) - bar.n)
    failed = [k + 1 for k, process in enumerate(processes) if process.exitcode]
    if failed:
        raise RuntimeError(f"process {failed[0]} of {jobs} ended early, see above; run again to go on with the rest")


def _job(scoring: Scoring, job: int, num_jobs: int, threads: int) -> None:
    """Body of a process."""
    import torch

    torch.set_num_threads(threads)
    scoring.score(job, num_jobs, quiet=True)


def _write_page(scoring: Scoring, real: dict, systems: dict[str, dict], unmatched: list[str]) -> str:
    """Merge, and write ``lips.tsv``, ``unmatched.tsv``, ``offset.png`` and ``scores.md``."""
    out_dir = Path(scoring.out_dir)
    write_text(out_dir / "unmatched.tsv", "".join(f"{line}\n" for line in unmatched))
    scores = load_scores(out_dir)
    against_real, against_sound = lip_tables(scores, {REAL: "real videos"} | {label: label for label in systems})
    counts = [_count(label, set(clips), set(real), scoring.matched) for label, clips in systems.items()]
    plotted = plots.plot_offsets(out_dir, out_dir / "offset.png", [REAL, *systems])
    sections = [
        "# Lip-sync scores",
        "A cell is mean ± standard deviation over clips (number of clips). Compare every row with the real one.",
        "\n".join([*counts, *(["- unmatched clips are in unmatched.tsv"] if unmatched else [])]),
        *(["## Against the real videos", against_real] if against_real else []),
        *(["## Against the sound", against_sound] if against_sound else []),
        *not_scored(scores),
        "![Audio-video offset](offset.png)" if plotted else "",
    ]
    return write_page(out_dir, sections)


def _count(label: str, names: set[str], real: set[str], matched: bool) -> str:
    """Say how many clips of a system were compared, and how many not."""
    if not matched:
        return f"- {label}: {len(names)} videos"
    others = ((len(real - names), "missing"), (len(names - real), "extra"))
    left_out = "".join(f", {count} {what}" for count, what in others if count)
    return f"- {label}: {len(names & real)} of {len(real)} real clips{left_out}"
