"""mkdocs' hook: the site mirrors the repository, so that links between documents are the same here and there.

The pages are those of the menu and all that they link to: documents as pages, other files as they are.
"""

import os
import re
from pathlib import Path

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parents[1]


def linked(page: Path) -> list[Path]:
    """Files of the repository that a document links to or shows."""
    links = re.findall(r"\]\(([^)\s#]+)[^)]*\)", page.read_text(encoding="utf-8"))
    files = [Path(os.path.normpath(page.parent / link)) for link in links if "://" not in link]
    return [file for file in files if file.is_file() and file.is_relative_to(ROOT)]


def named(entries: list | dict | str) -> list[str]:
    """Documents of the menu."""
    if isinstance(entries, str):
        return [entries]
    parts = entries.values() if isinstance(entries, dict) else entries
    return [name for part in parts for name in named(part)]


def on_files(files: Files, config) -> Files:
    """Take the pages of the menu and what they lead to, instead of one folder."""
    waiting = [ROOT / name for name in named(config["nav"])]
    found: dict[Path, None] = {}
    while waiting:
        file = waiting.pop()
        if file not in found:
            found[file] = None
            waiting += linked(file) if file.suffix == ".md" else []
    theirs = [file for file in files if file.generated_by or Path(file.abs_src_path or "").parent != ROOT / "docs"]
    ours = [File.generated(config, str(file.relative_to(ROOT)), abs_src_path=str(file)) for file in sorted(found)]
    return Files([*theirs, *ours])
