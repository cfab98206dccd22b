"""``silvertalk batch``: many films in one go."""

import logging

from silvertalk.bin.commands.common import run_with_talker, talker_parser


def batch(face: str, audio: str, out: str, model: str = "wav2lip", setup=None) -> None:
    """Render many files; a run that was stopped goes on where it was.

    Args:
        face: Pattern of videos or photos, e.g. "faces/*.mp4"; a single one goes with every sound.
        audio: Pattern of sounds; a single one goes with every face.
        out: Folder of the videos and of manifest.tsv, which says what became of each.
        model: wav2lip, makeittalk, cartoon, or another's name; with --help it shows the options of that one.
        setup: The talker's options.
    """
    from silvertalk.pipeline.batch import MANIFEST, pair_up, render_batch

    items = render_batch(setup.talker, pair_up(face, audio), out, setup.rendering(), setup.key())
    failed = [item.out for item in items if item.status != "done"]
    logging.info("%s: %d done, %d failed", out, len(items) - len(failed), len(failed))
    if failed:
        raise RuntimeError(f"{len(failed)} of {len(items)} failed, the first {failed[0]}; see {out}/{MANIFEST}")


def get_parser(model: str = "wav2lip"):
    """Return the parser, with the options of a talker."""
    return talker_parser(batch, model, prog="silvertalk batch")


def main(cmd: list[str] | None = None):
    """Run the command line."""
    run_with_talker(batch, cmd, prog="silvertalk batch")
