"""A face dump to train on."""

import numpy as np
import pytest

from silvertalk.data import PartWriter, combine_parts
from silvertalk.media import VideoWriter


@pytest.fixture(scope="module")
def face_dir(tmp_path_factory):
    """A face dump in which the brightness of the mouth and the mel level are one curve."""
    folder = tmp_path_factory.mktemp("dump") / "dump"
    with PartWriter(folder, 1) as out:
        for n in range(3):
            curve = 0.5 + 0.5 * np.sin(np.arange(40) / (3 + n))
            path = folder / f"s-{n}.avi"
            with VideoWriter(path, 25, codec="mjpeg", quality=2) as video:
                for value in curve:
                    frame = np.full((96, 96, 3), 90, np.uint8)
                    frame[60:80, 30:66] = int(255 * value)
                    video.write(frame)
            mel = np.repeat(8 * np.repeat(curve, 16)[: 40 * 16 : 5, None] - 4, 80, axis=1)
            out.add(f"s-{n}", {"mel": mel}, {"video.scp": path, "utt2num_frames": 40, "utt2spk": "s"})
    combine_parts(folder, [f"s-{n}" for n in range(3)])
    return folder
