"""A metric is one declaration."""

import re
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from silvertalk.evaluate import lips, metrics, report, scores, tables
from silvertalk.evaluate.metrics import CURVES, FEATURES, LIPS, TABLES, VOICE, Metric, measure

PAGE = (Path(__file__).parents[2] / "docs" / "METRICS.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("metric", [*LIPS, *VOICE], ids=lambda m: m.name)
def test_every_metric_is_described(metric):
    described = next((line for line in PAGE.splitlines() if re.match(rf"\| .*`{metric.name}`.*\|.*\|", line)), "")
    assert described, f"docs/METRICS.md has no row for {metric.name}"
    arrow = metrics.ARROWS.get(metric.direction, f" →{metric.direction}").strip()
    assert arrow in described.split("|")[1]


@pytest.mark.parametrize("metric", [*FEATURES, *CURVES], ids=lambda m: m.title)
def test_every_figure_over_all_clips_is_described(metric):
    assert f"| {metric.title} " in PAGE


def test_columns_keep_their_order():
    assert " ".join(m.name for m in LIPS) == (
        "frames detected lip_correlation correlation_spread articulation landmark_distance psnr ssim sharpness lpips "
        "silence_motion sound_correlation sound_offset distance distance_spread confidence offset pair_accuracy lse_d "
        "lse_c lse_offset lse_spread length_error"
    )
    assert len(metrics.BY_NAME) == len(LIPS) + len(VOICE)


def test_headings_have_unit_and_direction():
    assert metrics.BY_NAME["psnr"].heading == "mouth PSNR (dB) ↑"
    assert metrics.BY_NAME["offset"].heading == "expert offset (frames) →0"
    assert metrics.BY_NAME["level"].heading == "loudness (LUFS)"
    assert FEATURES[0].heading == "Fréchet distance of dlib's face descriptors (faces) ↓"


def test_what_has_no_inputs_is_left_out():
    declared = (
        Metric("sum", inputs=("a", "b"), function=lambda a, b: a + b),
        Metric("held", inputs=("figures",)),
        Metric("lacking", inputs=("figures",)),
        Metric("known", inputs=("b",), function=len, real=1.0),
    )
    subject = SimpleNamespace(kind="generated", a=1, b=None, figures={"held": np.float32(2)})
    assert dict(measure(declared, subject)) == {"held": 2.0}
    assert dict(measure(declared, SimpleNamespace(kind="real", a=1, b=2, figures=None))) == {"sum": 3.0, "known": 1.0}


def test_the_documented_example_is_all_it_takes(tmp_path, monkeypatch):
    """Function and declaration of docs/METRICS.md give a column of the score file and of the page."""
    function, declaration = re.findall(r"```python\n(.*?)```", PAGE, flags=re.S)
    names = {"np": np, "Metric": Metric, "lips": lips}
    exec(function, names)
    monkeypatch.setattr(lips, "lip_speed", names["lip_speed"], raising=False)
    exec(f"added = ({declaration.strip()})", names)
    (added,) = names["added"]
    monkeypatch.setitem(TABLES, "lips", (*LIPS, added))
    opening = np.sin(np.arange(50.0))
    fast = SimpleNamespace(kind="recorded", opening=2 * opening, wanted=opening)
    row = dict(measure([added], fast))
    assert row == {"lip_speed": pytest.approx(2.0)}
    monkeypatch.setattr(tables, "combine_parts", lambda *_, **__: None)
    monkeypatch.setattr(tables, "read_scp", lambda _: {"u": '[{"utt_id": "u", "kind": "recorded", "lip_speed": 2.0}]'})
    (tmp_path / "lips").mkdir()
    (tmp_path / "lips" / "expected").write_text("u\n")
    rows = tables.merge_scores(tmp_path, "lips")
    assert "\tlip_speed\tnote\n" in (tmp_path / "lips.tsv").read_text()
    against_real, _ = report.lip_tables(scores.Scores(lips=rows), metrics.LIP_KINDS)
    assert "| lip speed →1 |" in against_real and "| 2.00 (1) |" in against_real
