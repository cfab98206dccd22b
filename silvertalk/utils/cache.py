"""What is kept between runs, and how it is found again."""

import hashlib
import json
import os
from pathlib import Path

BLOCK = 1 << 22  # bytes


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
    for file in sorted(p for p in path.iterdir() if p.is_file()) if path.is_dir() else [path]:
        if path.is_dir():
            digest.update(f"\0{file.name}\0".encode())
        with open(file, "rb") as content:
            while block := content.read(BLOCK):
                digest.update(block)
    return digest.hexdigest()
