"""What every room uses: safe writing, logs, progress bars and the command line."""

from silvertalk.utils.files import atomic_folder, atomic_path, remove_leftovers, write_text
from silvertalk.utils.log import progress, setup_logging

__all__ = ["atomic_folder", "atomic_path", "progress", "remove_leftovers", "setup_logging", "write_text"]
