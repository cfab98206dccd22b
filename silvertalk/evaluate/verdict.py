"""Say in plain words how good it is, and promise nothing that the figures do not show."""

import math
from collections.abc import Mapping, Sequence

import numpy as np

from silvertalk.evaluate.metrics import CONTROL, LIP_KINDS, REAL, SILENCE
from silvertalk.evaluate.scores import UNITS, Scores, share_right
from silvertalk.evaluate.tables import Row, column

# Both must hold before we say that the lips follow the sound.
MIN_MARGIN = 0.05  # of the correlation over the control's
MIN_SIGMAS = 2.0  # the margin in standard errors over clips
CHANCE_ACCURACY = 0.6  # an expert below it cannot tell true pairs; guessing gives 0.5
GOOD_EXPERT = 0.8  # an expert above it is believed about the offset, otherwise lip opening and sound level are
MIN_PEAK = 0.3  # a lower mean correlation or cosine has no meaningful maximum
RESTLESS = 0.5  # motion in silence that is said; the tracker's tremble alone gives 0.1 to 0.3
# A synthetic voice is warned of beyond what its speaker's recordings show, by so much:
LEVEL_DIFFERENCE = 6.0  # LU
CLICK_DIFFERENCE = 3.0  # dB over the sharpest edge of all recordings,
USUAL_CLICK = 30.0  # or over this one, where few recordings have none as sharp; see sound.py
MORE_SILENCE = 15.0  # percent of the time


def describe(scores: Scores) -> str:
    """Say how good it is, in one paragraph."""
    sentences = [*_describe_lips(scores), *_describe_sync(scores), *_describe_voice(scores.voice)]
    return " ".join(sentences) or "Nothing could be scored: see the notes in the tables."


def _describe_lips(scores: Scores) -> list[str]:
    """Say whether the lips follow the sound."""
    real = column(scores.lips, "recorded", "lip_correlation")
    control = column(scores.lips, CONTROL, "lip_correlation")
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


def _mean(rows: Sequence[Row], kind: str, name: str) -> float | None:
    """Mean figure of a kind; None without any."""
    values = list(column(rows, kind, name).values())
    return float(np.mean(values)) if values else None


def _describe_articulation(rows: Sequence[Row]) -> list[str]:
    """Say when the mouth moves much too little or too much."""
    moved = _mean(rows, "recorded", "articulation")
    if moved is None or 0.7 <= moved <= 1.4:
        return []
    return [f"The mouth moves {moved:.0%} as much as the real one{', so it mumbles' if moved < 0.7 else ''}."]


def _describe_rest(rows: Sequence[Row]) -> list[str]:
    """Say when the mouth speaks while nothing is heard."""
    moved = _mean(rows, SILENCE, "silence_motion") or 0.0
    said = [f"In silence the mouth moves {moved:.0%} as much as the real one does in speech."]
    return said if moved > RESTLESS else []


def _describe_sync(scores: Scores) -> list[str]:
    """Say what the offsets and the expert tell."""
    accuracy = _mean(scores.lips, REAL, "pair_accuracy")
    sentences = _describe_offset(_believed_peaks(scores.peaks, accuracy or 0.0))
    if accuracy is not None and accuracy < CHANCE_ACCURACY:
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
    chance = expert.get(CONTROL, (0, 0.0))[1]
    return {kind: peak if peak[1] > chance else level.get(kind, peak) for kind, peak in expert.items()}


def _describe_offset(peaks: dict[str, tuple[int, float]]) -> list[str]:
    """Say whether lips and sound are in step, if it can be told."""
    made = {kind: peaks[kind][0] for kind in ("recorded", "video") if kind in peaks}
    if not made:
        return []
    if min(height for _, height in peaks.values()) < MIN_PEAK:
        return ["The audio-video offset cannot be told: lips and sound level hardly go together in these clips."]
    wanted = peaks[REAL][0] if REAL in peaks else 0
    figures = ", ".join(f"{offset:+d} ({LIP_KINDS[kind]})" for kind, offset in made.items())
    real = f", {wanted:+d} in the real recordings" if REAL in peaks else ""
    in_step = all(abs(offset - wanted) <= 1 for offset in made.values())
    verdict = "lips and sound are in step" if in_step else "lips and sound are out of step"
    return [f"Audio-video offset in frames of 40 ms: {figures}{real}: {verdict}."]


def _describe_voice(rows: Sequence[Row]) -> list[str]:
    """Say how the voice fares."""
    facts = [*_describe_distortion(rows), *_describe_words(rows), *_describe_similarity(rows)]
    return [f"Voice: {'; '.join(facts)}.", *_describe_sound(rows)] if facts else []


def _describe_distortion(rows: Sequence[Row]) -> list[str]:
    """Say how far the voice is from the recordings."""
    made, other = (_mean(rows, kind, "mcd") for kind in ("generated", CONTROL))
    if made is None:
        return []
    text = f"mel-cepstral distortion {made:.1f} dB over {len(column(rows, 'generated', 'mcd'))} sentences"
    if other is not None:
        text += f" (a recording of another sentence has {other:.1f})"
        if made >= other:
            text += ", so it is no nearer to the recording than the same person saying something else"
    return [text]


def _describe_words(rows: Sequence[Row]) -> list[str]:
    """Say how much of it a recogniser understands, in words where the language parts them."""
    for unit, (_, name) in UNITS.items():
        own, recorded = (share_right(rows, kind, unit) for kind in ("generated", REAL))
        if own and recorded:
            reached = f" ({own[0] / recorded[0]:.0%} of what they reach)" if recorded[0] > 0 else ""
            return [
                f"a recogniser gets {own[0]:.0%} of its {name} right, {recorded[0]:.0%} of the recorded ones{reached}"
            ]
    return []


def _describe_similarity(rows: Sequence[Row]) -> list[str]:
    """Say how much it sounds like the speaker."""
    own, recorded = (_mean(rows, kind, "speaker_similarity") for kind in ("generated", REAL))
    beside = f", that of the recordings {recorded:.2f}" if recorded is not None else ""
    return [f"its similarity to the speaker is {own:.2f}{beside}"] if own is not None else []


def _describe_sound(rows: Sequence[Row]) -> list[str]:
    """Warn of faults that the recordings do not have."""
    made, real = (
        {name: np.array(list(column(rows, kind, name).values())) for name in ("level", "silence", "click", "clipped")}
        for kind in ("generated", REAL)
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
