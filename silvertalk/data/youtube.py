"""Corpora that are lists of YouTube videos: fetching the videos, finding them again, looking at them.

Videos are fetched by the user's own yt-dlp (https://github.com/yt-dlp/yt-dlp), a program and no part of our
environment, which joins picture and sound with FFmpeg. Many listed videos are gone, so a failure is an entry
in a table and never ends a run.
"""

import logging
import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from silvertalk.data.corpus import look_at, look_at_all
from silvertalk.media import MediaInfo
from silvertalk.utils import progress, write_text

WATCH_URL = "https://www.youtube.com/watch?v="
SUFFIXES = (".mp4", ".mkv", ".webm")
VIDEOS = "videos"  # folder below db_root into which is fetched
PARTS = ".parts"  # folder below that for what is not whole; hidden, so nothing in it is ever found
FAILED = "failed.tsv"

PAUSE = 5.0  # seconds between two videos; the site refuses clients that ask too often
TIMEOUT = 3600  # seconds for one video
MAX_FAILURES = 10  # in a row, of videos that are not gone: then it is the site or the network
MIN_SECONDS = 0.5  # of a span that is left of a video which is shorter than its list says

# What yt-dlp says of videos that will not come back; other failures are tried again by the next run.
GONE = re.compile(
    r"video unavailable|private video|has been removed|been terminated|no longer available|"
    r"not available in your country|members-only|holds? no (picture|sound)",
    re.IGNORECASE,
)
NOT_FETCHED = "no video; --download true fetches it, if it still exists"


def fetch_videos(
    wanted: Mapping[str, str],
    folder: str | os.PathLike,
    yt_dlp: str = "yt-dlp",
    pause: float = PAUSE,
    max_height: int = 1080,
) -> None:
    """Fetch videos with picture and sound, one at a time.

    ``<folder>/failed.tsv`` lists what could not be had, with reasons; those
    that are gone for good are not asked for again.

    Args:
        wanted: Name of the file without suffix -> the video's address.
        folder: Gets the videos; a file appears there only whole.
        yt_dlp: The program, by name or path.
        pause: Seconds to wait between two videos.
        max_height: Largest height of the picture that is asked for (pixels).

    Raises:
        FileNotFoundError: There is no such program.
    """
    folder, failed = Path(folder), read_failures(folder)
    todo = [name for name in wanted if not GONE.search(failed.get(name, ""))]
    if not todo:
        return
    program = shutil.which(yt_dlp)
    if program is None:
        raise FileNotFoundError(f"no program '{yt_dlp}'; install yt-dlp and FFmpeg, or give --yt_dlp its path")
    (folder / PARTS).mkdir(parents=True, exist_ok=True)
    logging.info("fetch %d videos to %s, %g s between two", len(todo), folder, pause)
    num_fetched = in_a_row = 0
    # Lines are added at once, so that a killed run has them; of two for one video the later counts.
    with open(folder / FAILED, "a", encoding="utf-8") as table:
        for number, name in enumerate(progress(todo, desc="fetch")):
            time.sleep(pause if number else 0)
            reason = _fetch(program, name, wanted[name], folder, max_height)
            if reason is None:
                num_fetched, in_a_row = num_fetched + 1, 0
                failed.pop(name, None)
                continue
            failed[name] = reason
            logging.warning("%s: %s", name, reason)
            print(name, reason, sep="\t", file=table, flush=True)
            in_a_row = 0 if GONE.search(reason) else in_a_row + 1
            if in_a_row == MAX_FAILURES:
                logging.warning(
                    "%d videos in a row failed without being gone, so the other %d are left; see the last reason, "
                    "wait or mend it, and run again",
                    in_a_row, len(todo) - number - 1,
                )  # fmt: skip
                break
    write_text(folder / FAILED, "".join(f"{name}\t{failed[name]}\n" for name in sorted(failed)))
    logging.info(
        "%d of %d videos fetched; %s lists %d that failed", num_fetched, len(todo), folder / FAILED, len(failed)
    )


def read_failures(folder: str | os.PathLike) -> dict[str, str]:
    """Read what ``fetch_videos`` could not fetch: name -> reason."""
    path = Path(folder) / FAILED
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else ()
    return dict(line.split("\t", 1) for line in lines if "\t" in line)


def _fetch(program: str, name: str, url: str, folder: Path, max_height: int) -> str | None:
    """Fetch one video; returns why it is not there, None where it is."""
    part = folder / PARTS / name  # yt-dlp goes on with what an earlier run left there
    command = [
        program, "--quiet", "--no-progress", "--no-playlist",
        "--format", f"bv*[height<=?{max_height}]+ba/b[height<=?{max_height}]",
        "--merge-output-format", "mp4",
        "--output", f"{str(part).replace('%', '%%')}.%(ext)s",
        "--", url,
    ]  # fmt: skip
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            errors="replace",
            timeout=TIMEOUT,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"{program} took more than {TIMEOUT} s"
    if done.returncode:
        return _reason(done.stderr) or f"{program} ended with code {done.returncode} and said nothing"
    whole = next((path for suffix in SUFFIXES if (path := Path(f"{part}{suffix}")).is_file()), None)
    if whole is None:
        return f"{program} left no whole file in {folder / PARTS}; is FFmpeg there, which joins picture and sound?"
    if isinstance(fault := _usable(str(whole), look_at(str(whole))), str):
        whole.unlink()
        return fault.partition(";")[0]  # what follows is for files that somebody else put there
    os.replace(whole, folder / whole.name)
    return None


def _reason(stderr: str) -> str:
    """The last error that yt-dlp reported, in one line."""
    lines = [" ".join(line.split()) for line in stderr.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("ERROR")]
    return (errors or lines or [""])[-1]


def iter_videos(root: str | os.PathLike) -> Iterator[tuple[str, str]]:
    """List the video files below a folder, those that were fetched first; hidden folders are left out.

    Yields:
        Name without suffix, and path.
    """
    root = Path(root)
    for top in (root / VIDEOS, root):
        for folder, subfolders, names in os.walk(top):
            done = VIDEOS if folder == str(root) else None
            subfolders[:] = sorted(name for name in subfolders if name[0] != "." and name != done)
            for name in sorted(names):
                stem, suffix = os.path.splitext(name)
                if suffix.lower() in SUFFIXES and stem[0] != ".":
                    yield stem, os.path.join(folder, name)


def look_at_videos(paths: Iterable[str], nj: int = 1) -> dict[str, MediaInfo | str]:
    """Read the headers of video files as ``look_at_all`` does, and say what to do about those of no use."""
    return {path: _usable(path, found) for path, found in look_at_all(paths, nj).items()}


def _usable(path: str, info: MediaInfo | str) -> MediaInfo | str:
    """What a video says about itself; where it cannot be used, why."""
    if isinstance(info, str):
        return info
    if info.width == 0:
        return f"{path}: holds no picture; fetch it anew"
    if not info.has_audio:
        return f"{path}: holds no sound; fetch it anew with picture and sound, as --download true does"
    if info.duration <= 0:
        return f"{path}: does not say how long it is; fetch it anew"
    return info


def within_video(path: str, start: float, end: float, duration: float) -> tuple[float, float] | str:
    """Cut a span to the length of its video.

    Args:
        path: The video, for the reason.
        start: Seconds.
        end: Seconds.
        duration: The video's length (seconds).

    Returns:
        Start and end, or why there is nothing left of it.
    """
    if min(end, duration) - start < MIN_SECONDS:
        return (
            f"{path}: lasts {duration:.1f} s, the list wants {start:.1f} to {end:.1f} s; it is another or a cut video"
        )
    return start, min(end, duration)
