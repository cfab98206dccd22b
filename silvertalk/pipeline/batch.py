"""Many videos in one go, begun where the last run ended."""

import csv
import glob
import io
import logging
import time
from collections.abc import Callable
from dataclasses import asdict, astuple, dataclass, fields
from pathlib import Path

from silvertalk.media.video import natural_order
from silvertalk.talker.base import Talker
from silvertalk.talker.options import VideoOptions
from silvertalk.utils import progress, remove_leftovers, write_text
from silvertalk.utils.cache import content_key

MANIFEST = "manifest.tsv"
ITEM_ERRORS = (RuntimeError, ValueError, OSError)


@dataclass
class Item:
    """One line of the manifest."""

    out: str = ""  # name of the video, in the output folder
    face: str = ""
    audio: str = ""
    key: str = ""  # of what it was made from: contents, settings, model
    status: str = "waiting"  # waiting, done or failed
    frames: int = 0
    seconds_without_face: float = 0.0
    seconds: float = 0.0  # that rendering took
    note: str = ""  # why it failed


def pair_up(faces: str, audios: str) -> list[Item]:
    """Pair files by order: 1, 2, ..., 10; a single face or sound goes with all of the others.

    Args:
        faces: Path, or pattern with * and ?, of videos or photos.
        audios: The same of sounds.

    Raises:
        FileNotFoundError: A pattern matches nothing.
        ValueError: Their numbers differ.
    """
    found = []
    for pattern in (faces, audios):
        # Names of real files may contain brackets.
        names = [pattern] if Path(pattern).exists() else glob.glob(pattern, recursive=True)
        paths = sorted(map(Path, names), key=natural_order)
        if not paths:
            raise FileNotFoundError(f"no file matches {pattern}")
        found.append(paths)
    count = max(len(paths) for paths in found)
    if any(len(paths) not in (1, count) for paths in found):
        raise ValueError(
            f"{len(found[0])} faces ({faces}) and {len(found[1])} sounds ({audios}) cannot be paired; "
            "give as many of both, or one of either"
        )
    pairs = [[paths[k % len(paths)] for paths in found] for k in range(count)]
    items = [Item(f"{face.stem}_{audio.stem}.mp4", str(face), str(audio)) for face, audio in pairs]
    if len({item.out for item in items}) < len(items):
        raise ValueError(f"several pairs of {faces} and {audios} have the same names; rename the files")
    return items


def render_batch(
    load: Callable[[], Talker], items: list[Item], out_dir: str | Path, options: VideoOptions, model_key: str
) -> list[Item]:
    """Render what is not done yet; the manifest is written after every item.

    Args:
        load: Loads the talker; called only if there is something to do.
        items: From ``pair_up``.
        out_dir: Folder of the videos and of ``manifest.tsv``.
        options: How to render.
        model_key: Identifies the weights of the model: others render anew.

    Returns:
        The items with their status; a failed one does not stop the others.
    """
    out_dir = Path(out_dir)
    out_dir.mkdir(parents=True, exist_ok=True)
    remove_leftovers(out_dir)
    known = {item.out: item for item in _read(out_dir / MANIFEST)}
    for number, item in enumerate(items):
        item.key = _key(item, options, model_key)
        earlier = known.get(item.out)
        if earlier and earlier.status == "done" and earlier.key == item.key and (out_dir / item.out).is_file():
            items[number] = earlier
    todo = [item for item in items if item.status != "done"]
    logging.info("%s: %d of %d done before", out_dir, len(items) - len(todo), len(items))
    if not todo:
        return items
    talker = load()
    for item in progress(todo, desc="videos"):
        _render(talker, item, out_dir, options)
        _write(out_dir / MANIFEST, items)
    return items


def _key(item: Item, options: VideoOptions, model_key: str) -> str:
    """Hash of everything a video depends on; empty when a file is not there, which rendering will report."""
    try:
        sound = content_key(item.audio)
        settings = {name: _content(value) for name, value in asdict(options).items()}
        return content_key(item.face, sound=sound, options=settings, model=model_key)
    except OSError:
        return ""


def _content(value):
    """An option that names a file counts by what is in it."""
    return content_key(value) if isinstance(value, str) and Path(value).is_file() else value


def _render(talker: Talker, item: Item, out_dir: Path, options: VideoOptions) -> None:
    begun = time.monotonic()
    try:
        result = talker.render_file(item.face, item.audio, out_dir / item.out, options)
    except ITEM_ERRORS as error:
        item.status, item.note = "failed", " ".join(str(error).split())
        logging.error("%s: %s", item.out, item.note)
    else:
        item.status, item.frames = "done", result.num_frames
        item.seconds_without_face = round(result.seconds_without_face, 2)
    item.seconds = round(time.monotonic() - begun, 1)


def _read(path: Path) -> list[Item]:
    """Read a manifest; none is an empty one, and lines that are not ours count as not done."""
    if not path.is_file():
        return []
    items = []
    with open(path, encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file, delimiter="\t"):
            try:
                items.append(Item(**{name: type(value)(row[name]) for name, value in asdict(Item()).items()}))
            except (KeyError, TypeError, ValueError):
                logging.warning("%s: line '%s' is not understood; its video is rendered again", path, row)
    return items


def _write(path: Path, items: list[Item]) -> None:
    """Write a manifest atomically."""
    text = io.StringIO()
    table = csv.writer(text, delimiter="\t", lineterminator="\n")
    table.writerow([field.name for field in fields(Item)])
    table.writerows(astuple(item) for item in items)
    write_text(path, text.getvalue())
