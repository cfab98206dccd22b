"""The picture that stage 4 draws of what it measured."""

import os

import numpy as np

from silvertalk.face.lips import MAX_LAG
from silvertalk.utils import atomic_path

MOST_POINTS = 20000  # of a larger corpus every n-th utterance is drawn
KEPT, DROPPED = "#0072B2", "#D55E00"  # Okabe and Ito's, which the colour-blind tell apart
FRAME = 40  # milliseconds


def plot_offsets(points: np.ndarray, out: str | os.PathLike) -> None:
    """Draw a histogram of the utterances' offsets, and their confidence against it.

    Args:
        points: (N, 3): frames by which the sound is late; confidence (or
            correlation, where no network judged); whether it was kept.
        out: The PNG to write.
    """
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    points = points[:: max(1, len(points) // MOST_POINTS)]
    kept = points[:, 2] > 0
    figure, (above, below) = pyplot.subplots(2, 1, figsize=(7, 6), sharex=True, layout="constrained")
    bins = np.arange(-MAX_LAG, MAX_LAG + 2) - 0.5
    rows = [points[kept, 0], points[~kept, 0]]
    above.hist(rows, bins, stacked=True, color=[KEPT, DROPPED], label=["kept", "dropped"])
    above.set_ylabel("utterances")
    above.legend()
    jitter = np.random.default_rng(0).uniform(-0.3, 0.3, len(points))  # frames are whole; without it points hide points
    for which, colour in ((kept, KEPT), (~kept, DROPPED)):
        below.plot((points[:, 0] + jitter)[which], points[which, 1], ".", color=colour, markersize=4)
    below.set_xlabel(f"offset found in the utterance alone (frames of {FRAME} ms; positive: the sound is late)")
    below.set_ylabel("confidence")
    with atomic_path(out) as temporary:
        figure.savefig(temporary, dpi=100)
    pyplot.close(figure)
