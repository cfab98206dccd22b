"""Stands for `python` in the tests of run.sh: makes the files that a worker would make.

Every call is noted in calls.txt. FAIL=worker makes that worker fail; HANG=worker makes it sleep
after half of its work, to be killed.
"""

import os
import sys
import time
from pathlib import Path

SETS = ("tr_no_dev", "dev", "eval1")


def read(path: Path) -> dict[str, str]:
    """Read a Kaldi table."""
    return dict(line.split(" ", 1) for line in path.read_text().splitlines())


def write(path: Path, table: dict[str, str]) -> None:
    """Write a Kaldi table."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{key} {table[key]}\n" for key in sorted(table)))


def copy_tables(source: Path, target: Path, *more: str) -> None:
    """Copy utt2spk and what else there is, and make more tables of the same keys."""
    utt2spk = read(source / "utt2spk")
    for name in ("utt2spk", "text", "wav.scp", "video.scp", "source_video.scp"):
        if (source / name).exists():
            write(target / name, read(source / name))
    for name in more:
        write(target / name, {key: f"{target}/{key}.{name}" for key in utt2spk})


class Workers:
    """One method for each program that run.sh starts; options are keyword arguments."""

    def audio_dump(self, out_dir, job, **_):
        (out_dir / "parts").mkdir(parents=True, exist_ok=True)
        (out_dir / f"parts/{job}").write_text("done")

    face_dump = sync_measure = audio_dump

    def face_dump_log(self):
        print("INFO: face backend: none")

    def combine_parts(self, dir, data_dir):
        copy_tables(data_dir, dir, "wav.scp", "video.scp", "source_video.scp", "face.scp", "sound")
        (dir / "skipped.tsv").write_text("")

    def audio_filter(self, org_dir, out_dir, **_):
        copy_tables(org_dir, out_dir)

    sync_filter = audio_filter

    def tts_prepare(self, **options):
        """Of the real one, in test_tts.py and test/tts/training, only what the jobs need."""
        stats, exp_dir = options["voice.stats_dir"], options.get("exp_dir")
        if "out_dir" in options:
            sets = [name for name in SETS if name in sys.argv]
            for name in sets:
                log = options["out_dir"] / name / "log"
                write(log / "keys.1.scp", read(options["voice.dumpdir"] / "raw" / name / "utt2spk"))
                self.write_jobs(log, "--key_file", log / "keys.JOB.scp")
        elif exp_dir:
            self.write_jobs(exp_dir / "log", "--output_dir", exp_dir)
        else:
            self.write_jobs(stats / "logdir", "--output_dir", stats / "logdir/stats.JOB", "--collect_stats", "true")

    def write_jobs(self, folder, *arguments):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "jobs").write_text("1\n")
        (folder / "arguments").write_text("".join(f"{argument}\n" for argument in arguments))

    def tokenize_text(self, output, **_):
        output.write_text("<blank>\na\n")

    def tts_g2p(self, **_):
        print("ko korean_jaso")

    speaker_embed = audio_dump

    def speaker_average(self, out_dir, **_):
        for name in ("spk_embed.ark", "embed.scp", "utt2spk_embed.scp"):
            (out_dir / name).write_text("embeddings\n")

    def gan_tts_train(self, output_dir, collect_stats="false", **_):
        for part in ("train", "valid"):
            write(output_dir / part / "text_shape", {"a": "1"})
        if collect_stats == "false":
            (output_dir / "config.yaml").write_text("tts: jets\n")
            for name in ("latest", "train.total_count.ave"):
                (output_dir / f"{name}.pth").write_text("weights")

    def aggregate_stats_dirs(self, output_dir, **_):
        for part in ("train", "valid"):
            write(output_dir / part / "text_shape", {"a": "1"})
            for name in ("feats", "pitch", "energy"):
                (output_dir / part / f"{name}_stats.npz").write_text("stats")

    def tts_inference(self, output_dir, key_file, **_):
        for key in read(key_file):
            (output_dir / "wav").mkdir(parents=True, exist_ok=True)
            (output_dir / f"wav/{key}.wav").write_text("sound")

    def train_syncnet(self, exp_dir, **_):
        (exp_dir / "config.yaml").write_text("task: syncnet\n")

    train_wav2lip = train_makeittalk_autovc = train_makeittalk_content = train_syncnet
    train_makeittalk_speaker = train_makeittalk_translation = train_syncnet

    makeittalk_dump = audio_dump

    def makeittalk_statistics(self, train_dir, **_):
        (train_dir.parent / "statistics.npz").write_text("statistics")

    def face_decode(self, out_dir, job, wav_scp=None, **_):
        for kind in ("recorded", "control", *(["video"] if wav_scp else [])):
            self.audio_dump(out_dir / kind, job)

    def score_lips(self, out_dir, **_):
        (out_dir / "lips.tsv").write_text("scores\n")

    def score_voice(self, out_dir, **_):
        (out_dir / "voice.tsv").write_text("scores\n")

    def report(self, score_dir, out, **_):
        (score_dir / "summary.txt").write_text("This is how good it is.\n")
        out.write_text("results\n")

    def silvertalk(self, out, text, **_):
        out.write_text(str(text))


def main() -> None:
    """Note the call, then do as the worker does."""
    if sys.argv[1] != "-m":  # tools/check_env.py
        return
    name = sys.argv[2].rsplit(".", 1)[1]
    words = sys.argv[3:]
    if name in ("train", "tts_prepare", "silvertalk"):
        subcommand = words.pop(0)
        name = f"{name}_{subcommand}" if name == "train" else name
    with open("calls.txt", "a", encoding="utf-8") as file:
        file.write("\t".join([name, *words]) + "\n")
    if os.environ.get("FAIL") == name:
        sys.exit(f"{name} was told to fail")
    options = {
        key.lstrip("-"): Path(value) for key, value in zip(words, words[1:], strict=False) if key.startswith("--")
    }
    if "collect_stats" in options:
        options["collect_stats"] = str(options["collect_stats"])
    if os.environ.get("HANG") == name:
        if name == "sync_filter":
            options["out_dir"].mkdir(parents=True, exist_ok=True)
            (options["out_dir"] / "utt2spk").write_text("half a ta")
        Path("hangs").touch()
        time.sleep(60)
    for key in ("out_dir", "exp_dir", "output_dir", "score_dir"):
        if key in options:
            options[key].mkdir(parents=True, exist_ok=True)
    getattr(Workers(), name)(**options)
    if name == "face_dump":
        Workers().face_dump_log()


if __name__ == "__main__":
    main()
