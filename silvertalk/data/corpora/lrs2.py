"""LRS2: sentences of British television.

Thousands of programmes of the BBC, cut into clips of one speaking face at
25 fps with sound, and what is said in capital letters: 29 hours of sentences
and, apart from them, 195 hours of longer "pretrain" clips with word times.
Nobody says who speaks; the folder of a programme stands for a speaker.

Source: https://www.robots.ox.ac.uk/~vgg/data/lip_reading/lrs2.html, after an
agreement with the BBC. Licence: copyright BBC; for academic research only, no
redistribution, the lists included. Citation: T. Afouras, J. S. Chung,
A. Senior, O. Vinyals, A. Zisserman, "Deep Audio-Visual Speech Recognition",
IEEE TPAMI, 2018.

Layout that is read; ``mvlrs_v1`` may be left out, or hold the lists:

    mvlrs_v1/main/6330311066473698535/00011.mp4, 00011.txt
    mvlrs_v1/pretrain/6330311066473698535/00001.mp4, 00001.txt
    train.txt  val.txt  test.txt  pretrain.txt
"""

from collections.abc import Iterator
from pathlib import Path

from silvertalk.data.corpus import Corpus, make_utt_id, read_text, require
from silvertalk.data.lrs_text import Clip, Cutting, keep_apart, read_sets

HINT = "egs/lrs2/av1/README.md says how to get it"
LISTS = {"tr_no_dev": "train.txt", "dev": "val.txt", "eval1": "test.txt"}
PRETRAIN = "pretrain.txt"


def read(
    db_root: str,
    nj: int = 1,
    pretrain: bool = False,
    max_seconds: float = 15.0,
    min_gap: float = 0.4,
    view: str = "",
    lower: bool = False,
) -> Corpus:
    """Read the corpus: train, val and test are the sets.

    Args:
        db_root: Folder that holds mvlrs_v1 and the lists.
        nj: Clips opened at a time.
        pretrain: Train on the pretrain clips, too, but for those of programmes in dev or eval1.
        max_seconds: Pretrain clips as long as this are cut.
        min_gap: Pauses longer than this (seconds) are where they are cut.
        view: Only test clips with this mark in test.txt, NF or MV; empty takes all.
        lower: Write the sentences in small letters.
    """
    folder, paths = find_corpus(db_root, pretrain)
    sets = {name: list(find_clips(folder / "main", paths[file])) for name, file in LISTS.items()}
    views = {clip.utt_id: clip.view for clip in sets["eval1"] if clip.view}
    if view:
        sets["eval1"] = with_view(sets["eval1"], view, paths["test.txt"])
    if pretrain:
        sets["tr_no_dev"] += find_clips(folder / "pretrain", paths[PRETRAIN], is_talk=True)
    tables = {"view.tsv": views, "left_out.tsv": keep_apart(sets)}
    skipped: dict[str, str] = {}
    sources = {name: str(paths[file]) for name, file in LISTS.items()}
    utterances = read_sets(sets, sources, nj, skipped, Cutting(max_seconds, min_gap) if pretrain else None, lower)
    return Corpus(utterances, skipped, tables=tables)


def find_corpus(db_root: str, pretrain: bool) -> tuple[Path, dict[str, Path]]:
    """Find the clips' folder and the lists.

    Returns:
        The folder that holds ``main``, and list name -> file.

    Raises:
        ValueError: No folder was named.
        FileNotFoundError: The first thing that is missing.
    """
    root = require(db_root, {}, HINT)
    inside = "" if (root / "main").is_dir() else "mvlrs_v1"
    parts = ("main", "pretrain") if pretrain else ("main",)
    clips = "a folder for each programme, with clips such as 6330311066473698535/00011.mp4"
    require(root, {str(Path(inside, part, "*/*.mp4")): clips for part in parts}, HINT)
    paths = {}
    for name in (*LISTS.values(), PRETRAIN) if pretrain else LISTS.values():
        if not (root / inside / name).is_file():
            require(root, {name: "a list with lines such as 6330311066473698535/00011, which is got apart"}, HINT)
        paths[name] = next(path for path in (root / inside / name, root / name) if path.is_file())
    return root / inside, paths


def find_clips(folder: Path, path: Path, is_talk: bool = False) -> Iterator[Clip]:
    """Read a list.

    Args:
        folder: Where its clips lie.
        path: The list; each line is a programme and a clip, with a mark after it in test.txt.
        is_talk: Whether the clips are pretrain's.

    Raises:
        ValueError: A line is not of that form.
    """
    for number, line in enumerate(read_text(path, ["utf-8-sig"]).splitlines(), 1):
        if not line.strip():
            continue
        clip, *mark = line.split()
        programme, _, name = clip.partition("/")
        if not (programme and name) or "/" in name or len(mark) > 1:
            raise ValueError(f"{path}:{number}: '{line}' is not like 6330311066473698535/00011; get the list again")
        video = folder / programme / f"{name}.mp4"
        name = make_utt_id("pretrain", name) if is_talk else name
        yield Clip(programme, name, video, video.with_suffix(".txt"), is_talk, "".join(mark))


def with_view(clips: list[Clip], view: str, path: Path) -> list[Clip]:
    """Take the test clips with one mark.

    Raises:
        ValueError: There is none.
    """
    wanted = [clip for clip in clips if clip.view == view]
    if not wanted:
        marks = " or ".join(sorted({clip.view for clip in clips} - {""})) or "no value: there are no marks"
        raise ValueError(f"{path}: no clip is marked '{view}'; give --view {marks}")
    return wanted
