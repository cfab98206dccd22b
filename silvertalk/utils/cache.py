"""What is kept between runs, and how it is found again."""

import contextlib
import hashlib
import json
import os
import re
import time
from pathlib import Path

from silvertalk.utils.files import write_text

BLOCK = 1 << 22  # bytes
KEY = re.compile("[0-9a-f]{32}")
RECENT = 2.0  # seconds; file systems tell times apart that differ by this


def cache_folder(name: str) -> Path:
    """Folder of one kind of kept results, which may be deleted at any time.

    SILVERTALK_CACHE says where, else XDG_CACHE_HOME, else it is ~/.cache/silvertalk.
    """
    home = os.environ.get("SILVERTALK_CACHE")
    base = Path(home) if home else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "silvertalk"
    return base / name


def content_key(path: str | os.PathLike, **settings) -> str:
    """Name a result by the content it was made from and by the settings.

    Args:
        path: A file, or a folder, whose files count with their names.
        **settings: Anything JSON can write.

    Returns:
        32 hexadecimal digits.
    """
    digest = hashlib.blake2b(json.dumps(settings, sort_keys=True, default=str).encode(), digest_size=16)
    path = Path(path)
    for file in _files(path):
        if path.is_dir():
            digest.update(f"\0{file.name}\0".encode())
        with open(file, "rb") as content:
            while block := content.read(BLOCK):
                digest.update(block)
    return digest.hexdigest()


def quick_key(path: str | os.PathLike, **settings) -> str:
    """Make the key that ``content_key`` makes, and read the content only where its path, size or time is a new one.

    Every key is kept in a file of its own; one that is damaged, or cannot be written, costs time and no more.
    """
    files = {str(file.absolute()): file.stat() for file in _files(Path(path))}
    state = [(name, stat.st_size, stat.st_mtime_ns) for name, stat in files.items()]
    digest = hashlib.blake2b(json.dumps([state, settings], sort_keys=True, default=str).encode(), digest_size=16)
    kept = cache_folder("keys") / digest.hexdigest()
    with contextlib.suppress(OSError, ValueError):
        if KEY.fullmatch(key := kept.read_text(encoding="ascii")):
            return key
    key = content_key(path, **settings)
    # What was written a moment ago may be written again without a new time.
    if files and time.time() - max(stat.st_mtime for stat in files.values()) > RECENT:
        with contextlib.suppress(OSError):
            write_text(kept, key)
    return key


def _files(path: Path) -> list[Path]:
    """The file, or those of a folder in order."""
    return sorted(file for file in path.iterdir() if file.is_file()) if path.is_dir() else [path]
