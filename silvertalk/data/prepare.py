"""A corpus as it was published into data directories, by the reader that is named after it."""

import importlib
import inspect
import itertools
import logging
import pkgutil
from pathlib import Path
from types import ModuleType

from silvertalk.data import corpora, validate_data_dir, write_data_dir
from silvertalk.data.corpus import SETS, Corpus
from silvertalk.utils import write_text

MAX_SKIPPED = 0.5


def prepare(
    reader: ModuleType, out: str = "data", download: bool = False, max_skipped: float = MAX_SKIPPED, **options
) -> None:
    """Write data/{tr_no_dev,dev,eval1} and skipped.tsv.

    Args:
        reader: Module of ``silvertalk.data.corpora``.
        out: Folder for the data directories.
        download: Fetch what is missing into db_root first, from the corpus' own site.
        max_skipped: Largest share of unusable utterances that is no error.
        **options: The reader's.
    """
    if download:
        options["db_root"] = options["db_root"] or f"downloads/{_name(reader)}"
        _download(reader, options)
    wanted = inspect.signature(reader.read).parameters
    corpus = reader.read(**{name: value for name, value in options.items() if name in wanted})
    skipped, total = corpus.skipped, sum(map(len, corpus.sets.values())) + len(corpus.skipped)
    for name, table in {**corpus.tables, "skipped.tsv": skipped}.items():
        write_text(Path(out) / name, "".join(f"{key}\t{table[key]}\n" for key in sorted(table)))
    if len(skipped) > max_skipped * total:
        first = min(skipped)
        raise RuntimeError(
            f"{len(skipped)} of {total} utterances cannot be used (first: '{first}': {skipped[first]}); "
            f"see {out}/skipped.tsv"
        )
    speakers = _speakers_of_sets(corpus)
    for name in SETS:
        write_data_dir(Path(out) / name, corpus.sets[name])
        validate_data_dir(Path(out) / name)
        logging.info("%s: %d utterances of %d speakers", name, len(corpus.sets[name]), len(speakers[name]))
    logging.info("%d left out%s", len(skipped), f", listed with reasons in {out}/skipped.tsv" if skipped else "")


def _speakers_of_sets(corpus: Corpus) -> dict[str, set[str]]:
    """See that every set has something, and that no speaker is in two; returns the speakers of each."""
    for name in SETS:
        if not corpus.sets.get(name):
            raise ValueError(f"no utterance is left for {name}; give a fuller corpus or larger shares for it")
    speakers = {name: {u.spk for u in corpus.sets[name]} for name in SETS}
    for one, other in itertools.combinations(SETS, 2):
        if (shared := speakers[one] & speakers[other]) and not corpus.shares_speakers:
            raise ValueError(f"speaker '{min(shared)}' is in {one} and in {other}; correct its lists")
    return speakers


def _name(reader: ModuleType) -> str:
    return reader.__name__.rpartition(".")[2]


def _download(reader: ModuleType, options: dict) -> None:
    if not hasattr(reader, "download"):
        raise ValueError(
            f"{_name(reader)} cannot be fetched from here: its terms ask for an application; "
            f"egs/{_name(reader)}/*/README.md says where, and what to give as --db_root"
        )
    wanted = inspect.signature(reader.download).parameters
    reader.download(**{key: value for key, value in options.items() if key in wanted})


def load_reader(name: str) -> ModuleType:
    """Find the reader of a corpus.

    Raises:
        ValueError: There is none.
    """
    known = [module.name for module in pkgutil.iter_modules(corpora.__path__)]
    if name not in known:
        raise ValueError(f"no reader of '{name}'; there are: {' '.join(known)}")
    return importlib.import_module(f"{corpora.__name__}.{name}")
