import numpy as np
import pytest
import torch

from silvertalk.evaluate import lse
from silvertalk.syncnet.syncnet_v2 import SyncNetV2


def test_crops_are_those_of_the_published_pipeline():
    bbox = np.repeat([[40.0, 30.0, 80.0, 90.0]], 20, axis=0)
    bbox[7] += 15  # one frame's outlier goes
    boxes = lse.crop_boxes(bbox)
    # Half of the larger side is 30, the middle (60, 60); 0.4 of room, below on both sides' account.
    assert (boxes == [18, 30, 102, 114]).all()


def test_what_lies_outside_is_grey():
    frame = np.full((50, 60, 3), 200, np.uint8)
    cut = lse._cut(frame, np.array([-10, 20, 30, 60]))
    assert cut.shape == (40, 40, 3)
    assert (cut[:, :10] == lse.OUTSIDE).all() and (cut[30:] == lse.OUTSIDE).all() and (cut[:30, 10:] == 200).all()
    assert (lse._cut(frame, np.array([100, 100, 120, 120])) == lse.OUTSIDE).all()


def test_colours_and_whole_frames():
    red = np.zeros((20, 30, 3), np.uint8)
    red[..., 0] = 250
    for bbox in (None, np.array([[5.0, 2, 15, 12]])):
        (picture,) = lse.face_crops([red], bbox)
        assert picture.shape == (224, 224, 3)
        assert picture[112, 112].tolist() == [0, 0, 250]  # BGR


def test_scores_of_a_clip():
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    frames = rng.integers(0, 255, (12, 60, 60, 3)).astype(np.uint8)
    row, curve = lse.lse_scores(SyncNetV2().eval(), frames, None, 0.1 * rng.normal(size=12 * 640))
    assert curve.shape == (31,)
    assert row["lse_d"] == pytest.approx(curve.min(), rel=1e-5)
    assert row["lse_c"] == pytest.approx(np.median(curve) - curve.min(), rel=1e-3)
    assert row["lse_offset"] == np.argmin(curve) - 15
    with pytest.raises(ValueError, match="no window"):
        lse.lse_scores(SyncNetV2().eval(), frames[:5], None, np.zeros(16000))
