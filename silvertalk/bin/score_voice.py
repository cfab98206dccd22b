"""Stage 16, voice: compare the synthetic voice with the recordings."""

from silvertalk.evaluate.score_voice import score_job
from silvertalk.evaluate.words import Recognition
from silvertalk.utils.cli import worker


def score_voice(
    decode_dir: str,
    ref_dir: str,
    out_dir: str,
    recogniser: str = "auto",
    grammar: str | None = None,
    whisper_model: str | None = None,
    language: str = "auto",
    device: str = "cpu",
    job: int = 1,
    num_jobs: int = 1,
) -> None:
    """Score the synthetic voice.

    Args:
        decode_dir: Stage 8's folder of one set, e.g. exp/tts_X/decode_latest/eval1.
        ref_dir: Data directory of the recordings, e.g. dump/raw/eval1.
        out_dir: Score folder; the report merges the jobs into out_dir/voice.tsv.
        recogniser: What hears the words: grammar, lm (PocketSphinx's English language model), whisper or none; auto
            takes the best that is there.
        grammar: JSGF file that the sentences follow.
        whisper_model: Folder of Whisper's weights in faster-whisper's layout (model.bin, config.json, tokenizer.json).
        language: Of the transcripts: ko, en, zh, another, or auto (by script).
        device: Of Whisper: cpu or cuda.
        job: Number of this job, 1..num_jobs.
        num_jobs: Number of jobs.
    """
    recognition = Recognition(recogniser, grammar, whisper_model, language, device)
    score_job(decode_dir, ref_dir, out_dir, recognition, job, num_jobs)


get_parser, main = worker(score_voice)


if __name__ == "__main__":
    main()
