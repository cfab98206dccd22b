import json
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest

from silvertalk.data import PartWriter
from silvertalk.evaluate import metrics, provenance
from silvertalk.evaluate.report import voice_sections, write_report
from silvertalk.evaluate.scores import Scores, share_right
from silvertalk.evaluate.tables import merge_scores
from silvertalk.evaluate.verdict import describe


def lip_rows(generated, control):
    """Rows of as many clips as there are figures."""
    rows = []
    for n, (g, c) in enumerate(zip(generated, control, strict=True)):
        rows += [
            {"utt_id": f"u{n}", "kind": "real", "pair_accuracy": 0.9, "lip_correlation": 1.0},
            {"utt_id": f"u{n}", "kind": "recorded", "lip_correlation": g, "articulation": 1.0},
            {"utt_id": f"u{n}", "kind": "control", "lip_correlation": c},
        ]
    return rows


@pytest.mark.parametrize(
    ("generated", "control", "said"),
    [
        ([0.8, 0.9, 0.85], [0.4, 0.5, 0.5], "follow the sound closely"),
        ([0.6, 0.6, 0.65], [0.2, 0.3, 0.2], "follow the sound roughly"),
        ([0.3, 0.3, 0.35], [0.0, 0.1, 0.1], "follow the sound weakly"),
        ([0.7, 0.7, 0.7], [0.7, 0.68, 0.71], "the lips do not follow the sound"),
        ([0.0, 0.0, 0.0], [0.0, 0.0, 0.0], "the lips do not follow the sound"),
        ([0.9, 0.2, 0.5], [0.1, 0.5, 0.4], "too few or too different clips"),
        ([0.9], [0.1], "too few or too different clips"),
    ],
)
def test_the_verdict_follows_the_figures(generated, control, said):
    assert said in describe(Scores(lip_rows(generated, control)))


def test_the_summary_warns():
    rows = lip_rows([0.8, 0.9, 0.85], [0.4, 0.5, 0.5])
    for row in rows:
        if row["kind"] == "recorded":
            row["articulation"] = 0.3
        row["pair_accuracy"] = 0.5
    text = describe(Scores(rows, peaks={"lag": {"real": (0, 0.6), "recorded": (-4, 0.6)}}))
    assert "mumbles" in text
    assert "mean nothing yet" in text
    assert "-4 (generated" in text and "out of step" in text
    assert "are in step" in describe(Scores(rows, peaks={"lag": {"real": (1, 0.6), "recorded": (0, 0.6)}}))
    assert "cannot be told" in describe(Scores(rows, peaks={"lag": {"real": (1, 0.1), "recorded": (9, 0.1)}}))
    assert describe(Scores()).startswith("Nothing could be scored")


@pytest.mark.parametrize(("height", "said"), [(0.5, "+0 (generated, synthetic voice)"), (0.6, "-3 (generated, synth")])
def test_an_expert_is_not_asked_about_a_voice_that_it_never_heard(height, said):
    """Its best offset is chance when it fits no better than another clip's sound."""
    rows = lip_rows([0.8, 0.9, 0.85], [0.4, 0.5, 0.5])
    for row in rows:
        row["pair_accuracy"] = 0.9
    expert = {"real": (0, 0.7), "recorded": (0, 0.65), "control": (2, 0.55), "video": (-3, height)}
    level = dict.fromkeys(expert, (0, 0.6))
    text = describe(Scores(rows, peaks={"cosine": expert, "lag": level}))
    assert said in text and ("out of step" in text) == (height > 0.55)


def test_voice_no_better_than_another_sentence_is_said():
    rows = [{"utt_id": "u", "kind": "generated", "mcd": 9.0}, {"utt_id": "u", "kind": "control", "mcd": 8.0}]
    assert "no nearer to the recording" in describe(Scores(voice=rows))


def test_word_accuracy_is_pooled():
    rows = [
        {"utt_id": "a", "kind": "real", "words": 6.0, "word_errors": 0.0},
        {"utt_id": "b", "kind": "real", "words": 2.0, "word_errors": 1.0},
    ]
    assert share_right(rows, "real", "words") == (0.875, 8)
    assert share_right(rows, "generated", "words") is None


def heard_row(kind, errors, **more):
    """A sentence of ten words."""
    counts = {"words": 10.0, "word_errors": errors, "letters": 50.0, "letter_errors": errors}
    return {"utt_id": "u", "kind": kind, **counts, **more}


def test_words_are_set_against_those_of_the_recordings():
    rows = [heard_row("real", 2.0, speaker_similarity=0.9), heard_row("generated", 4.0, speaker_similarity=0.75)]
    rows[1]["unknown_words"] = "steels xyzzyx"
    rows.append({"utt_id": "u", "kind": "control", "words": float("nan"), "note": "no other sentence"})
    text = describe(Scores(voice=rows))
    assert "60% of its words right, 80% of the recorded ones (75% of what they reach)" in text
    assert "similarity to the speaker is 0.75, that of the recordings 0.90" in text
    page = "\n".join(voice_sections(Scores(voice=rows, recogniser="an ear")))
    assert "| 60.0 (10 words) | 75.0 | 92.0 (50 characters) |" in page
    assert "an ear" in page and "2 of the 10 words" in page and "steels, xyzzyx." in page
    without = [{"utt_id": "u", "kind": "generated", "mcd": 5.0}]
    assert "No words were counted: deaf." in voice_sections(Scores(voice=without, recogniser="deaf"))


def test_characters_where_words_are_not_parted():
    rows = [
        {"utt_id": "u", "kind": k, "letters": 10.0, "letter_errors": e} for k, e in (("real", 0.0), ("generated", 5.0))
    ]
    assert "50% of its characters right, 100%" in describe(Scores(voice=rows))


def sound_rows(kind, **figures):
    """Two sentences whose sound is without fault."""
    good = {"level": -25.0, "silence": 20.0, "click": 15.0, "clipped": 0.0}
    return [
        {"utt_id": f"u{n}", "kind": kind, "letters": 9.0, "letter_errors": 0.0, **good, **figures} for n in range(2)
    ]


@pytest.mark.parametrize(
    ("figures", "said"),
    [
        ({"level": -33.0}, "8 dB softer"),
        ({"level": -12.0}, "13 dB louder"),
        ({"silence": 60.0}, "silent for 60% of the time"),
        ({"click": 34.0}, "2 of 2 sentences click"),
        ({"clipped": 0.1}, "2 of 2 sentences are clipped"),
    ],
)
def test_faults_of_the_sound_are_said(figures, said):
    text = describe(Scores(voice=[*sound_rows("real"), *sound_rows("generated", **figures)]))
    assert "Beware: " in text and said in text


def test_a_sound_like_the_recordings_needs_no_warning():
    rows = [*sound_rows("real"), *sound_rows("generated", level=-27.0, silence=25.0, click=32.0)]
    assert "Beware" not in describe(Scores(voice=rows))


def add_parts(folder, entries, curves=()):
    """Write parts as a scoring job does."""
    with PartWriter(folder, 1) as out:
        for utt_id, rows in entries.items():
            out.add(
                utt_id,
                {name: np.random.default_rng(0).normal(size=(31, 1)) for name in curves},
                {"rows": json.dumps(rows)},
            )
    (folder / "expected").write_text("".join(f"{u}\n" for u in entries))


def test_report_renders_every_row(tmp_path):
    scores = tmp_path / "scores"
    rows = lip_rows([0.8, 0.9], [0.4, 0.5])
    rows.append({"utt_id": "u1", "kind": "video", "note": "no face found in 75 frames"})
    lips = {u: [r for r in rows if r["utt_id"] == u] for u in ("u0", "u1")}
    names = [f"{name}_{kind}" for name in ("opening", "lag", "cosine") for kind in ("real", "recorded", "control")]
    add_parts(scores / "lips", lips, names)
    voice = {
        u: [{"utt_id": u, "kind": k, "mcd": 6.0, "words": 6, "word_errors": 1} for k in metrics.VOICE_KINDS]
        for u in lips
    }
    add_parts(scores / "voice", voice)
    summary = write_report(scores, tmp_path / "RESULTS.md", "mini", "./run.sh")
    page = (tmp_path / "RESULTS.md").read_text()
    for text in (
        "# Results: mini",
        "| real recording |",
        "| generated, its own sound | 0.85 ± 0.07 (2)",
        "0.45 ± 0.07 (2)",
    ):
        assert text in page
    assert "83.3 (12 words)" in page and "`./run.sh`" in page
    assert "Not scored: 1" in page and "no face found in 75 frames" in page
    assert summary in page and (scores / "summary.txt").read_text().strip() == summary
    for name in ("lip_opening.png", "lip_correlation.png", "offset.png", "mcd.png"):
        assert f"(scores/{name})" in page and (scores / name).stat().st_size > 1000


def test_tables_survive_tabs_and_missing_values(tmp_path):
    add_parts(tmp_path / "voice", {"u1": [{"utt_id": "u1", "kind": "real", "level": -20.0, "note": "a\tb\nc"}]})
    assert merge_scores(tmp_path, "lips") == []
    assert merge_scores(tmp_path, "voice") == [{"utt_id": "u1", "kind": "real", "level": -20.0, "note": "a\tb\nc"}]
    header, line = (row.split("\t") for row in (tmp_path / "voice.tsv").read_text().splitlines())
    assert " ".join(header) == (
        "utt_id kind mcd log_f0_rmse vuv_error duration_ratio duration_error speaker_similarity words word_errors "
        "word_hits letters letter_errors level clipped click silence text heard unknown_words note"
    )
    cells = dict(zip(header, line, strict=True))
    assert (cells["note"], cells["mcd"], cells["level"], cells["text"]) == ("a b c", "nan", "-20.0000", "")


def test_further_talkers_have_their_sections(tmp_path, capsys):
    from silvertalk.bin import report

    for name, generated in (("a/scores", 0.9), ("exp/cartoon_x/decode_latest/scores", 0.6), ("p", 0.7)):
        rows = lip_rows([generated] * 2, [0.3, 0.4])
        add_parts(tmp_path / name / "lips", {u: [r for r in rows if r["utt_id"] == u] for u in ("u0", "u1")})
    folders = [str(tmp_path / "exp/cartoon_x/decode_latest/scores"), f"Puppets={tmp_path / 'p'}"]
    options = [
        f"--score_dir={tmp_path / 'a/scores'}",
        f"--out={tmp_path / 'R.md'}",
        f"--portrait_score_dir={tmp_path / 'p'}",
    ]
    report.main([*options, "--talker_score_dirs", *folders])
    page, said = (tmp_path / "R.md").read_text(), capsys.readouterr().out
    for title in ("Lips", "Portraits: lips", "cartoon_x: lips", "Puppets: lips"):
        assert f"## {title} against the real video" in page
    assert said.startswith("Lips: the lips follow the sound closely") and "\ncartoon_x: Lips: " in said
    with pytest.raises(SystemExit, match="two talkers are called 'makeittalk'"):
        report.main([*options, "--talker_score_dirs", f"makeittalk={tmp_path / 'p'}"])


def test_report_without_scores_says_what_to_do(tmp_path):
    with pytest.raises(FileNotFoundError, match="stage 16"):
        write_report(tmp_path, tmp_path / "RESULTS.md")


def test_voice_alone_is_reported(tmp_path):
    add_parts(tmp_path / "voice", {"u": [{"utt_id": "u", "kind": "generated", "mcd": 6.0}]})
    assert "6.0 dB" in write_report(tmp_path, tmp_path / "RESULTS.md")
    assert "## Lips" not in (tmp_path / "RESULTS.md").read_text()


def test_stage_times_count_parallel_jobs_once(tmp_path):
    for job, (begin, end) in enumerate([("10:00:00", "10:01:00"), ("10:00:30", "10:02:00")], 1):
        (tmp_path / f"face_dump.{job}.log").write_text(
            "# python -m silvertalk.bin.face_dump --job 1\n# Running on x\n"
            f"# Started at 2026-01-01 {begin}\n#\n\n# Ended (code 0) at 2026-01-01 {end}, elapsed time 9 seconds\n"
        )
    (tmp_path / "failed.log").write_text("# python -m silvertalk.bin.face_dump\n# Started at 2026-01-01 09:00:00\n")
    assert provenance.stage_seconds([str(tmp_path)]) == {3: 120.0}

    text = provenance.describe_run("x", datetime(2026, 1, 1), [str(tmp_path)])
    assert "| 3 | face dump | 120 |" in text and "cores" in text


def test_a_voice_that_is_only_named_is_not_its_training():
    options = "--wav_scp exp/tts_train_jets/decode/wav.scp"
    assert provenance._stage(f"# python -m silvertalk.bin.face_decode {options}", Path("a.log")) == 15
    training = "# python -m espnet2.bin.gan_tts_train --output_dir exp/x"
    assert provenance._stage(training, Path("exp/x/train.log")) == 7
    assert provenance._stage(training, Path("exp/tts_stats_raw/logdir/stats.1.log")) == 6
