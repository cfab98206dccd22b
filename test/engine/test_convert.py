"""How close one network comes to another."""

import numpy as np
import pytest

from silvertalk.engine.convert import require_close
from silvertalk.engine.model import Model, psnr, snr


def test_signal_to_noise_ratio():
    wanted = np.sin(np.arange(1000)).astype(np.float32)
    assert snr(wanted, wanted) == 120
    assert snr(wanted * 1.01, wanted) == pytest.approx(40, abs=0.01)
    assert snr(100 * wanted * 1.01, 100 * wanted) == pytest.approx(40, abs=0.01)  # whatever the level
    assert snr(-wanted, wanted) == pytest.approx(-6.02, abs=0.01)
    assert snr(np.zeros(8), np.zeros(8)) == 120  # silence is silence
    assert snr(np.ones(8), np.zeros(8)) < 0
    assert np.isnan(snr(np.full(8, np.nan), wanted[:8]))


def test_a_model_says_how_it_is_compared():
    model = Model("a:b", "c:d", {"x": (3, None)}, closeness="silvertalk.engine.model:snr", min_closeness=35)
    wanted = np.full(10, 0.5)
    assert model.measure(wanted * 1.1, wanted) == pytest.approx(20)
    assert Model("a:b", "c:d", {}).measure(wanted * 1.1, wanted) == psnr(wanted * 1.1, wanted) > 25
    require_close(36, "x", model.min_closeness)
    for figure in (34.9, float("nan")):
        with pytest.raises(RuntimeError, match="x is only .* dB close .* 35 are needed"):
            require_close(figure, "x", model.min_closeness)
