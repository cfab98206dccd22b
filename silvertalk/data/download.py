"""Fetch published archives and lists: resumed where they stopped, checked against the publisher's hashes."""

import hashlib
import http.client
import itertools
import json
import logging
import os
import shutil
import time
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from silvertalk.utils import atomic_path, progress, write_text

BLOCK = 1 << 20  # bytes
TIMEOUT = 60  # seconds without an answer
TRIES = 5

Result = TypeVar("Result")


@dataclass
class RemoteFile:
    """A file that a site offers."""

    name: str
    url: str
    size: int  # bytes
    md5: str  # hexadecimal


def zenodo_files(record_url: str) -> dict[str, RemoteFile]:
    """Ask a Zenodo record for its files; sizes and hashes are the site's own.

    Args:
        record_url: ``https://zenodo.org/api/records/<number>``.

    Returns:
        File name -> where it is and how to check it.

    Raises:
        RuntimeError: The site does not answer, or not with a record.
    """
    try:
        with urllib.request.urlopen(record_url, timeout=TIMEOUT) as reply:
            record = json.load(reply)
        return {
            entry["key"]: RemoteFile(
                entry["key"], entry["links"]["self"], entry["size"], entry["checksum"].removeprefix("md5:")
            )
            for entry in record["files"]
        }
    except (OSError, http.client.HTTPException) as error:
        raise RuntimeError(
            f"{record_url} does not answer ({error}); check the network, "
            "or get the corpus another way and give its folder as --db_root without --download"
        ) from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise RuntimeError(f"{record_url}: the answer is no Zenodo record ({error!r}); check the address") from error


def download(remote: RemoteFile, path: str | os.PathLike, pause: float = 5.0) -> None:
    """Fetch one file; what an earlier try left in ``<path>.part`` is continued.

    Args:
        remote: What to fetch.
        path: Where to put it. It appears only when its hash is right.
        pause: Seconds to wait before each further try.

    Raises:
        RuntimeError: The site stopped answering, or sent something else than it promised.
    """
    path = Path(path)
    part = path.with_name(path.name + ".part")
    path.parent.mkdir(parents=True, exist_ok=True)
    _persist(
        remote.url,
        lambda: _continue(remote, part),
        pause,
        lambda: f"run again to continue behind {_size(part)} bytes",
    )
    found = md5_of(part)
    if found != remote.md5:
        part.unlink()
        raise RuntimeError(f"{remote.url}: the md5 is {found}, the site says {remote.md5}; it was removed, run again")
    os.replace(part, path)


def fetch_list(url: str, path: str | os.PathLike, pause: float = 5.0) -> None:
    """Fetch a small text file, of which no hash is known; what is there is kept.

    Args:
        url: Where it is.
        path: Where to put it. It appears only whole.
        pause: Seconds to wait before each further try.

    Raises:
        RuntimeError: The site does not have it, does not answer, or sends a web page instead.
    """
    if Path(path).is_file():
        return
    data = _persist(url, lambda: _read(url), pause, lambda: "check the address and the network, and run again")
    if not data.strip() or data.lstrip().startswith(b"<"):
        raise RuntimeError(
            f"{url}: the answer is {'a web page' if data.strip() else 'empty'}, no list; check the address"
        )
    with atomic_path(path) as temporary:
        temporary.write_bytes(data)


def _read(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=TIMEOUT) as reply:
        return reply.read()


def _persist(url: str, step: Callable[[], Result], pause: float, advice: Callable[[], str]) -> Result:
    """Try again what failed, unless the site says that it always will."""
    for attempt in itertools.count(1):
        try:
            return step()
        except (OSError, http.client.HTTPException) as error:
            if isinstance(error, urllib.error.HTTPError) and 400 <= error.code < 500 or attempt == TRIES:
                raise RuntimeError(f"{url}: {error}; {advice()}") from error
            logging.warning("%s: %s; try %d of %d", url, error, attempt + 1, TRIES)
        time.sleep(pause)


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _continue(remote: RemoteFile, part: Path) -> None:
    """Append what is still missing to the partial file."""
    have = _size(part)
    if have > remote.size:  # not of this file
        part.unlink()
        have = 0
    if have == remote.size:
        return
    request = urllib.request.Request(remote.url, headers={"Range": f"bytes={have}-"} if have else {})
    with urllib.request.urlopen(request, timeout=TIMEOUT) as reply:
        goes_on = reply.status == http.HTTPStatus.PARTIAL_CONTENT  # else the site sends it all again
        with open(part, "ab" if goes_on else "wb") as out, progress((), desc=remote.name, total=remote.size) as bar:
            bar.unit, bar.unit_scale = "B", True
            bar.update(have if goes_on else 0)
            while block := reply.read(BLOCK):
                out.write(block)
                bar.update(len(block))
    if _size(part) < remote.size:
        raise ConnectionError(f"the connection ended at {_size(part)} of {remote.size} bytes")


def md5_of(path: str | os.PathLike) -> str:
    """MD5 of a file, hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "md5").hexdigest()


def fetch_zip(remote: RemoteFile, folder: str | os.PathLike) -> None:
    """Download an archive, unpack it into ``folder`` and remove it; done only once.

    Raises:
        RuntimeError: The download failed or is no zip file, or the disk is too small.
    """
    folder = Path(folder)
    marker = folder / f".{remote.name}.done"
    if marker.is_file() and marker.read_text().strip() == remote.md5:
        return
    archive = folder / remote.name
    folder.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(folder).free
    if free < 2.1 * remote.size:  # archive and contents, which hardly shrink
        raise RuntimeError(
            f"{folder}: {remote.name} needs {2.1 * remote.size / 1e9:.1f} GB, {free / 1e9:.1f} GB are free; make room"
        )
    if not (archive.is_file() and md5_of(archive) == remote.md5):
        logging.info("download %s (%.0f MB) to %s", remote.url, remote.size / 1e6, folder)
        download(remote, archive)
    try:
        with zipfile.ZipFile(archive) as contents:
            contents.extractall(folder)
    except zipfile.BadZipFile as error:
        raise RuntimeError(f"{archive}: is not a zip file ({error}); remove it and run again") from error
    write_text(marker, remote.md5 + "\n")
    archive.unlink()
