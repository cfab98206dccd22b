"""Gather the scores into one Markdown page, and say in plain words how good it is."""

import math
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import numpy as np

from silvertalk.evaluate import features, plots, provenance, score_lips, score_voice
from silvertalk.evaluate.tables import Row, column, read_tsv
from silvertalk.utils import write_text

# Both must hold before we say that the lips follow the sound.
MIN_MARGIN = 0.05  # of the correlation over the control's
MIN_SIGMAS = 2.0  # the margin in standard errors over clips
CHANCE_ACCURACY = 0.6  # an expert below it cannot tell true pairs; guessing gives 0.5
GOOD_EXPERT = 0.8  # an expert above it is believed about the offset, otherwise lip opening and sound level are
MIN_PEAK = 0.3  # a lower mean correlation or cosine has no meaningful maximum
RESTLESS = 0.5  # motion in silence that is said; the tracker's tremble alone gives 0.1 to 0.3
MAX_NOTES = 20  # listed on the page
# A synthetic voice is warned of beyond what its speaker's recordings show, by so much:
LEVEL_DIFFERENCE = 6.0  # LU
CLICK_DIFFERENCE = 3.0  # dB over the sharpest edge of all recordings,
USUAL_CLICK = 30.0  # or over this one, where few recordings have none as sharp; see sound.py
MORE_SILENCE = 15.0  # percent of the time
# Talkers that the page names in other words: in titles, in the summary.
TALKERS = {"makeittalk": ("Portraits", "Portraits, each made from one photo")}


@dataclass
class Column:
    """One column of a results table."""

    name: str  # in the score file
    title: str  # with direction and unit
    digits: int = 2
    scale: float = 1.0


LIP_COLUMNS = (
    Column("lip_correlation", "lip opening correlation ↑"),
    Column("correlation_spread", "its spread within clips ↓"),
    Column("articulation", "articulation →1"),
    Column("landmark_distance", "landmark distance (% of face) ↓"),
    Column("psnr", "mouth PSNR (dB) ↑", 1),
    Column("ssim", "mouth SSIM ↑", 3),
    Column("sharpness", "mouth sharpness →1"),
    Column("lpips", "mouth LPIPS ↓", 3),
    Column("silence_motion", "motion in silence →0"),
)
SYNC_COLUMNS = (
    Column("lse_d", "LSE-D ↓"),
    Column("lse_c", "LSE-C ↑"),
    Column("lse_spread", "spread of LSE-C within clips", 2),
    Column("lse_offset", "SyncNet v2's offset (frames) →0", 1),
    Column("distance", "expert distance ↓", 3),
    Column("distance_spread", "its spread within clips", 3),
    Column("confidence", "expert confidence ↑", 3),
    Column("offset", "expert offset (frames) →0", 1),
    Column("pair_accuracy", "expert picks the true sound (%)", 0, 100),
    Column("sound_correlation", "lip opening and sound level ↑"),
    Column("length_error", "length error (frames) →0", 1),
)
VOICE_COLUMNS = (
    Column("mcd", "MCD (dB) ↓"),
    Column("log_f0_rmse", "log-F0 RMSE ↓", 3),
    Column("vuv_error", "voicing error (%) ↓", 1),
    Column("duration_ratio", "duration ratio →1"),
    Column("duration_error", "duration error (%) ↓", 1),
    Column("speaker_similarity", "speaker similarity ↑"),
)
SOUND_COLUMNS = (
    Column("level", "loudness (LUFS)", 1),
    Column("silence", "silence (%)", 1),
    Column("click", "sharpest edge (dB) ↓", 1),
    Column("clipped", "clipped samples (%) ↓", 3),
)
UNITS = {"words": "word_errors", "letters": "letter_errors"}  # what is counted -> its errors, in the score file
UNIT_NAMES = {"words": "words", "letters": "characters"}
LIP_ROWS = {
    "real": "real recording",
    "recorded": "generated, its own sound",
    "control": "control: generated, another clip's sound",
    "video": "generated, synthetic voice",
    "silence": "generated, silence",
}
# Features of pictures, kept beside the curves -> title.
FRECHET_TITLES = {
    "faces": "Fréchet distance of dlib's face descriptors (faces) ↓",
    "lips": "Fréchet distance of the expert's lip embeddings (windows) ↓",
    "inception": "FID, torchvision's Inception (faces) ↓",
}
VOICE_ROWS = {
    "real": "real recording",
    "generated": "synthetic voice",
    "control": "control: another sentence, recorded",
}


@dataclass
class Scores:
    """Everything that was measured."""

    lips: list[Row] = field(default_factory=list)
    voice: list[Row] = field(default_factory=list)
    # curve -> kind -> where the mean over clips peaks (frames, positive: sound late) and how high
    peaks: dict[str, dict[str, tuple[int, float]]] = field(default_factory=dict)
    # features -> kind -> Fréchet distance from the real pictures, and how many there are
    frechet: dict[str, dict[str, tuple[float, int]]] = field(default_factory=dict)
    recogniser: str = ""  # what heard the words, or why nothing did


def load_scores(score_dir: str | os.PathLike) -> Scores:
    """Merge the jobs' parts and read the tables.

    Raises:
        FileNotFoundError: Nothing was scored.
        RuntimeError: A job did not finish.
    """
    scores = Scores()
    for module, name in ((score_lips, "lips"), (score_voice, "voice")):
        table = score_lips.merge_scores(score_dir, name, module.COLUMNS)
        setattr(scores, name, read_tsv(table) if table else [])
    if not scores.lips and not scores.voice:
        raise FileNotFoundError(f"{score_dir} holds no scores; run score_lips or score_voice first (stage 16)")
    heard_by = Path(score_dir) / "voice" / score_voice.RECOGNISER
    scores.recogniser = heard_by.read_text(encoding="utf-8").strip() if heard_by.is_file() else ""
    kinds = list(dict.fromkeys(row["kind"] for row in scores.lips))
    for name in FRECHET_TITLES:
        scores.frechet[name] = _frechet_distances(plots.read_curves(score_dir, name, kinds))
    for name in ("lag", "cosine"):
        curves = plots.read_curves(score_dir, name, kinds)
        means = {kind: plots.mean_curve(table) for kind, table in curves.items() if len(table)}
        known = {kind: mean for kind, mean in means.items() if not np.isnan(mean).all()}
        scores.peaks[name] = {k: (int(np.nanargmax(m)) - len(m) // 2, float(np.nanmax(m))) for k, m in known.items()}
    return scores


def _frechet_distances(tables: Mapping[str, Mapping[str, np.ndarray]]) -> dict[str, tuple[float, int]]:
    """Compare every kind's faces (kind -> utt_id -> (N, D)) with the real ones of the same clips."""
    real, result = tables.get(score_lips.REAL, {}), {}
    for kind, table in tables.items():
        common = [utt_id for utt_id in table if utt_id in real]
        if common:
            made, filmed = (np.concatenate([faces[utt_id] for utt_id in common]) for faces in (table, real))
            result[kind] = (features.frechet_distance(made, filmed), len(made))
    return result


def write_report(
    score_dir: str | os.PathLike,
    out: str | os.PathLike,
    corpus: str = "",
    command: str = "",
    log_dirs: Sequence[str] = (),
    talker_score_dirs: Mapping[str, str | os.PathLike] | None = None,
) -> str:
    """Write the page, its plots and ``summary.txt``.

    Args:
        score_dir: Score folder; gets the tables and plots.
        out: The page, e.g. RESULTS.md.
        corpus: Name of the corpus.
        command: The command that was run.
        log_dirs: Folders whose logs tell the stages' times.
        talker_score_dirs: Score folders of other talkers with the same clips, by their names.

    Returns:
        The plain-language summary, one paragraph.
    """
    score_dir = Path(score_dir)
    scores = load_scores(score_dir)
    here = Path(out).absolute().parent
    summaries, faces, pictures, notes = [describe(scores)], _lip_sections(scores), _images(score_dir, scores, here), []
    for name, folder in (talker_score_dirs or {}).items():
        title, made = TALKERS.get(name, (name, name))
        others = load_scores(folder)
        summaries.append(f"{made}: {describe(others)}")
        faces += _lip_sections(others, f"{title}: lips")
        pictures += _images(Path(folder), others, here, f"{title}: ")
        notes += not_scored(others, f" of the talker {name}")
    summary = "\n\n".join(summaries)
    write_text(score_dir / "summary.txt", summary + "\n")
    sections = [
        f"# Results{f': {corpus}' if corpus else ''}",
        "Generated by stage 16; measures are defined in docs/METRICS.md. A cell is mean ± standard deviation over "
        "clips (number of clips). Compare every row with the real recording's and the control's, not with papers.",
        summary,
        *faces,
        *voice_sections(scores),
        *(["## Plots", *pictures] if pictures else []),
        *not_scored(scores),
        *notes,
        provenance.describe_run(command, datetime.now(), log_dirs),
    ]
    write_text(out, "\n\n".join(sections) + "\n")
    return summary


def _images(score_dir: Path, scores: Scores, here: Path, prefix: str = "") -> list[str]:
    """Draw the plots, and link them from a page that lies in ``here``."""
    drawn = _draw(score_dir, scores)
    return [f"![{prefix}{title}]({os.path.relpath(path.absolute(), here)})" for title, path in drawn]


def _draw(score_dir: Path, scores: Scores) -> list[tuple[str, Path]]:
    """Make the plots for which there are scores: (title, file)."""
    wanted: list[tuple[str, str, Callable[[Path], bool]]] = [
        ("Lip opening over time", "lip_opening.png", lambda path: plots.plot_openings(score_dir, scores.lips, path)),
        ("Correlations", "lip_correlation.png", lambda path: plots.plot_correlations(scores.lips, path)),
        ("Audio-video offset", "offset.png", lambda path: plots.plot_offsets(score_dir, path)),
        ("Mel-cepstral distortion", "mcd.png", lambda path: plots.plot_distortion(scores.voice, path)),
    ]
    return [(title, score_dir / name) for title, name, draw in wanted if draw(score_dir / name)]


def _table(rows: Sequence[Row], kinds: dict[str, str], columns: Sequence[Column], more=()) -> str:
    """Render kinds by columns in Markdown; ``more`` are (title, kind -> text) columns.

    Empty columns are left out; without any the table is empty.
    """
    shown = [k for k in kinds if any(r["kind"] == k for r in rows)]
    filled = [(c.title, {k: _cell(column(rows, k, c.name), c) for k in shown}) for c in columns]
    filled = [(title, cells) for title, cells in [*filled, *more] if any(cells.get(k) for k in shown)]
    if not filled:
        return ""
    lines = ["| " + " | ".join(["", *(title for title, _ in filled)]) + " |", "|---" * (len(filled) + 1) + "|"]
    lines += ["| " + " | ".join([kinds[k], *(cells.get(k) or "-" for _, cells in filled)]) + " |" for k in shown]
    return "\n".join(lines)


def _cell(values: dict[str, float], spec: Column) -> str:
    """Format mean ± standard deviation (clips); empty without values."""
    if not values:
        return ""
    numbers = spec.scale * np.array(list(values.values()))
    spread = f" ± {numbers.std(ddof=1):.{spec.digits}f}" if len(numbers) > 1 else ""
    return f"{numbers.mean():.{spec.digits}f}{spread} ({len(numbers)})"


def lip_tables(scores: Scores, kinds: dict[str, str]) -> tuple[str, str]:
    """Render the tables about the lips: against the real video, and against the sound; ``kinds`` names the rows."""
    frechet = [
        (title, {k: f"{v:.4f} ({n})" for k, (v, n) in scores.frechet.get(name, {}).items()})
        for name, title in FRECHET_TITLES.items()
    ]
    pooled = [
        (title, {k: f"{v:+d}" for k, (v, _) in scores.peaks.get(name, {}).items()})
        for name, title in (
            ("cosine", "offset, all clips together, expert (frames) →0"),
            ("lag", "the same by lip opening and sound level →0"),
        )
    ]
    return (
        _table(scores.lips, kinds, LIP_COLUMNS, frechet),
        _table(scores.lips, {k: v for k, v in kinds.items() if k != score_lips.SILENCE}, SYNC_COLUMNS, pooled),
    )


def _lip_sections(scores: Scores, title: str = "Lips") -> list[str]:
    """Tables about the lips."""
    if not scores.lips:
        return []
    against_real, against_sound = lip_tables(scores, LIP_ROWS)
    return [
        f"## {title} against the real video",
        against_real,
        f"## {title} against the sound",
        against_sound,
        "A positive offset means that the sound is late. One clip of a few seconds gives it within some frames only; "
        "the columns over all clips together are the measurement.",
    ]


def voice_sections(scores: Scores) -> list[str]:
    """Tables about the voice."""
    if not scores.voice:
        return []
    compared = _table(scores.voice, VOICE_ROWS, VOICE_COLUMNS, [c for unit in UNITS for c in _heard(scores, unit)])
    sound = _table(scores.voice, {k: v for k, v in VOICE_ROWS.items() if k != "control"}, SOUND_COLUMNS)
    return [
        *(["## Voice", compared] if compared else []),
        *_about_words(scores),
        *(["## The sound of the voice", sound] if sound else []),
    ]


def _heard(scores: Scores, unit: str) -> list[tuple[str, dict[str, str]]]:
    """Columns of the words or letters that a recogniser hears."""
    name = UNIT_NAMES[unit]
    right = {k: v for k in VOICE_ROWS if (v := share_right(scores.voice, k, unit)) is not None}
    columns = [(f"{name} heard right (%) ↑", {k: f"{100 * v:.1f} ({n} {name})" for k, (v, n) in right.items()})]
    reached, _ = right.get("real", (0.0, 0))
    if reached > 0:
        shares = {k: f"{100 * v / reached:.1f}" for k, (v, _) in right.items()}
        columns.append((f"{name}, of what the recordings reach (%) ↑", shares))
    return columns


def _about_words(scores: Scores) -> list[str]:
    """Say who heard the words, and which of them it cannot know."""
    if not scores.recogniser:
        return []
    if not any(column(scores.voice, kind, "letters") for kind in VOICE_ROWS):
        return [f"No words were counted: {scores.recogniser}."]
    # The words are those of the transcript, whatever the kind.
    rows = {r["utt_id"]: r for r in scores.voice if float(r.get("words") or 0) > 0}.values()
    unknown = [word for row in rows for word in str(row.get("unknown_words") or "").split()]
    text = f"Words as heard by {scores.recogniser}."
    if unknown:
        words = sum(float(row["words"]) for row in rows)
        names = sorted(set(unknown))
        more = f" and {len(names) - MAX_NOTES} more" if len(names) > MAX_NOTES else ""
        text += (
            f" It does not know {len(unknown)} of the {words:.0f} words, which it hears wrong in every voice: "
            f"{', '.join(names[:MAX_NOTES])}{more}."
        )
    return [text]


def share_right(rows: Sequence[Row], kind: str, unit: str) -> tuple[float, int] | None:
    """Share of the words or letters that are heard right, over all utterances of a kind.

    Args:
        rows: Score file.
        kind: See ``score_voice``.
        unit: ``words`` or ``letters``.

    Returns:
        1 - errors / number (insertions can make it negative) and the number; None when they were not scored.
    """
    numbers, errors = column(rows, kind, unit), column(rows, kind, UNITS[unit])
    total = int(sum(numbers.values()))
    return (1 - sum(errors.values()) / total, total) if total else None


def not_scored(scores: Scores, whose: str = "") -> list[str]:
    """List clips that have a note instead of figures."""
    notes = [(r["utt_id"], r["kind"], r["note"]) for r in [*scores.lips, *scores.voice] if r.get("note")]
    if not notes:
        return []
    lines = [f"- `{utt_id}` ({kind}): {note}" for utt_id, kind, note in notes[:MAX_NOTES]]
    if len(notes) > MAX_NOTES:
        lines.append(f"- and {len(notes) - MAX_NOTES} more, in the last column of the tables beside the plots")
    return [f"## Not scored{whose}: {len(notes)}", "\n".join(lines)]


def describe(scores: Scores) -> str:
    """Say how good it is, in one paragraph that promises nothing the figures do not show."""
    sentences = [*_describe_lips(scores), *_describe_sync(scores), *_describe_voice(scores.voice)]
    return " ".join(sentences) or "Nothing could be scored: see the notes in the tables."


def _describe_lips(scores: Scores) -> list[str]:
    """Say whether the lips follow the sound."""
    real = column(scores.lips, "recorded", "lip_correlation")
    control = column(scores.lips, "control", "lip_correlation")
    if not real:
        return []
    mean = float(np.mean(list(real.values())))
    figures = f"the lip opening of {len(real)} generated clips correlates {mean:.2f} with the real video's"
    both = [u for u in real if u in control]
    if not both:
        return [f"Lips: {figures}; without a control nobody can say how much of it comes from the sound."]
    margins = np.array([real[u] - control[u] for u in both])
    error = margins.std(ddof=1) / math.sqrt(len(margins)) if len(margins) > 1 else math.inf
    figures += f", {np.mean([control[u] for u in both]):.2f} when another clip's sound drives them"
    wins = f"better than the control in {int((margins > 0).sum())} of {len(margins)} clips"
    if margins.mean() < MIN_MARGIN:
        verdict = "the control is as good as generated: the lips do not follow the sound"
    elif margins.mean() < MIN_SIGMAS * error:
        verdict = "too few or too different clips to say that the lips follow the sound"
    elif mean >= 0.75:
        verdict = "the lips follow the sound closely"
    else:
        verdict = "the lips follow the sound roughly" if mean >= 0.5 else "the lips follow the sound weakly"
    return [f"Lips: {verdict} ({figures}; {wins}).", *_describe_articulation(scores.lips), *_describe_rest(scores.lips)]


def _describe_articulation(rows: Sequence[Row]) -> list[str]:
    """Say when the mouth moves much too little or too much."""
    values = list(column(rows, "recorded", "articulation").values())
    moved = float(np.mean(values)) if values else 1.0
    if 0.7 <= moved <= 1.4:
        return []
    return [f"The mouth moves {moved:.0%} as much as the real one{', so it mumbles' if moved < 0.7 else ''}."]


def _describe_rest(rows: Sequence[Row]) -> list[str]:
    """Say when the mouth speaks while nothing is heard."""
    values = list(column(rows, score_lips.SILENCE, "silence_motion").values())
    moved = float(np.mean(values)) if values else 0.0
    return (
        [f"In silence the mouth moves {moved:.0%} as much as the real one does in speech."] if moved > RESTLESS else []
    )


def _describe_sync(scores: Scores) -> list[str]:
    """Say what the offsets and the expert tell."""
    values = list(column(scores.lips, "real", "pair_accuracy").values())
    accuracy = float(np.mean(values)) if values else 0.0
    sentences = _describe_offset(_believed_peaks(scores.peaks, accuracy))
    if values and accuracy < CHANCE_ACCURACY:
        sentences.append(
            f"The sync expert picks the true sound of real clips in {accuracy:.0%} of the cases (chance is 50%): "
            "its confidence and offset mean nothing yet."
        )
    return sentences


def _believed_peaks(peaks: Mapping[str, dict], accuracy: float) -> dict[str, tuple[int, float]]:
    """For each kind the peak by the expert, or by lip opening and sound level where the expert knows nothing.

    That is everywhere when it is weak, and for a voice that it has never heard: then its best offset fits no better
    than another clip's sound does.
    """
    level, expert = peaks.get("lag", {}), peaks.get("cosine", {})
    if accuracy < GOOD_EXPERT:
        return level
    chance = expert.get("control", (0, 0.0))[1]
    return {kind: peak if peak[1] > chance else level.get(kind, peak) for kind, peak in expert.items()}


def _describe_offset(peaks: dict[str, tuple[int, float]]) -> list[str]:
    """Say whether lips and sound are in step, if it can be told."""
    made = {kind: peaks[kind][0] for kind in ("recorded", "video") if kind in peaks}
    if not made:
        return []
    if min(height for _, height in peaks.values()) < MIN_PEAK:
        return ["The audio-video offset cannot be told: lips and sound level hardly go together in these clips."]
    wanted = peaks["real"][0] if "real" in peaks else 0
    figures = ", ".join(f"{offset:+d} ({LIP_ROWS[kind]})" for kind, offset in made.items())
    real = f", {wanted:+d} in the real recordings" if "real" in peaks else ""
    in_step = all(abs(offset - wanted) <= 1 for offset in made.values())
    verdict = "lips and sound are in step" if in_step else "lips and sound are out of step"
    return [f"Audio-video offset in frames of 40 ms: {figures}{real}: {verdict}."]


def _describe_voice(rows: Sequence[Row]) -> list[str]:
    """Say how the voice fares."""
    facts = [*_describe_distortion(rows), *_describe_words(rows), *_describe_similarity(rows)]
    return [f"Voice: {'; '.join(facts)}.", *_describe_sound(rows)] if facts else []


def _describe_distortion(rows: Sequence[Row]) -> list[str]:
    """Say how far the voice is from the recordings."""
    made, other = (list(column(rows, kind, "mcd").values()) for kind in ("generated", "control"))
    if not made:
        return []
    text = f"mel-cepstral distortion {np.mean(made):.1f} dB over {len(made)} sentences"
    if other:
        text += f" (a recording of another sentence has {np.mean(other):.1f})"
        if np.mean(made) >= np.mean(other):
            text += ", so it is no nearer to the recording than the same person saying something else"
    return [text]


def _describe_words(rows: Sequence[Row]) -> list[str]:
    """Say how much of it a recogniser understands, in words where the language parts them."""
    for unit, name in UNIT_NAMES.items():
        own, recorded = (share_right(rows, kind, unit) for kind in ("generated", "real"))
        if own and recorded:
            reached = f" ({own[0] / recorded[0]:.0%} of what they reach)" if recorded[0] > 0 else ""
            return [
                f"a recogniser gets {own[0]:.0%} of its {name} right, {recorded[0]:.0%} of the recorded ones{reached}"
            ]
    return []


def _describe_similarity(rows: Sequence[Row]) -> list[str]:
    """Say how much it sounds like the speaker."""
    own, recorded = (list(column(rows, kind, "speaker_similarity").values()) for kind in ("generated", "real"))
    if not own:
        return []
    beside = f", that of the recordings {np.mean(recorded):.2f}" if recorded else ""
    return [f"its similarity to the speaker is {np.mean(own):.2f}{beside}"]


def _describe_sound(rows: Sequence[Row]) -> list[str]:
    """Warn of faults that the recordings do not have."""
    made, real = (
        {c.name: np.array(list(column(rows, kind, c.name).values())) for c in SOUND_COLUMNS}
        for kind in ("generated", "real")
    )
    if not all(map(len, (*made.values(), *real.values()))):
        return []
    level, recorded_level, silence, recorded_silence = (
        values[name].mean() for name in ("level", "silence") for values in (made, real)
    )
    faults = []
    if abs(level - recorded_level) > LEVEL_DIFFERENCE:
        comparison = "louder" if level > recorded_level else "softer"
        faults.append(f"it is {abs(level - recorded_level):.0f} dB {comparison} than the recordings")
    if silence - recorded_silence > MORE_SILENCE:
        faults.append(f"it is silent for {silence:.0f}% of the time, the recordings for {recorded_silence:.0f}%")
    sharpest = max(real["click"].max(), USUAL_CLICK) + CLICK_DIFFERENCE
    for name, limit, fault in (("click", sharpest, "click"), ("clipped", real["clipped"].max(), "are clipped")):
        number = int((made[name] > limit).sum())
        if number:
            faults.append(f"{number} of {len(made[name])} sentences {fault}")
    return [f"Beware: {'; '.join(faults)}."] if faults else []
