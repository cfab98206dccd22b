"""Stage 1: data directories from a corpus as it was published.

python -m silvertalk.bin.corpus_prepare CORPUS --db_root FOLDER --out data [options of the corpus' reader]
"""

import inspect
import sys

from silvertalk.data.prepare import MAX_SKIPPED, load_reader, prepare
from silvertalk.utils.cli import make_parser, run


def get_parser(name: str):
    """Make the command line of one corpus: the reader's options, the download's, and those of every corpus."""
    reader = load_reader(name)
    parser = make_parser(reader.read, description=reader.__doc__)
    taken = set(inspect.signature(reader.read).parameters)
    if hasattr(reader, "download"):
        parser.add_function_arguments(reader.download, as_group=False, skip=taken)
    parser.add_argument("--out", type=str, default="data", help="folder for the data directories")
    parser.add_argument("--download", type=bool, nargs="?", const=True, default=False,
                        help="fetch what is missing into db_root first")  # fmt: skip
    parser.add_argument("--max_skipped", type=float, default=MAX_SKIPPED,
                        help="largest share of unusable utterances that is no error")  # fmt: skip
    return parser


def main(cmd: list[str] | None = None) -> None:
    """Run from the command line."""
    name, *rest = (sys.argv[1:] if cmd is None else cmd) or ["--help"]
    if name.startswith("-"):
        sys.exit(__doc__)
    try:
        reader = load_reader(name)
    except ValueError as error:
        sys.exit(f"error: {error}")
    run(get_parser(name), lambda **options: prepare(reader, **options), rest)


if __name__ == "__main__":
    main()
