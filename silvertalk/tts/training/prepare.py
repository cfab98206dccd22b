"""Stages 6 to 8 before their jobs: which utterances, who speaks them, in how many jobs, with which arguments.

Each function leaves the arguments of the jobs in files named ``arguments``, one on each line, for the shell to start
ESPnet with. Nothing here imports ESPnet, but for its converters of text and for stored voices.
"""

import os
import shutil
from collections.abc import Collection, Iterable
from pathlib import Path

import yaml

from silvertalk.tts.experiment import repair_experiment, resolve_config
from silvertalk.tts.frontend import FILE as TEXT_FILE
from silvertalk.tts.frontend import TextFrontEnd
from silvertalk.tts.g2p import ESPEAK
from silvertalk.tts.speakers import EMBEDDINGS, LANGUAGES, SPEAKERS
from silvertalk.tts.store import unpack_weights
from silvertalk.tts.training.arguments import (
    PARTS,
    VoiceOptions,
    align_arguments,
    decode_arguments,
    feature_arguments,
    stats_arguments,
    train_arguments,
)
from silvertalk.tts.training.config import check_stats, check_train_config, load_train_config, min_num_samples
from silvertalk.tts.training.texts import write_spoken_text
from silvertalk.tts.training.usable import (
    Check,
    Tokens,
    filter_utterances,
    known_checks,
    length_check,
    speaker_check,
    text_checks,
    write_ids,
)
from silvertalk.utils import atomic_path, write_text

MOST_OF_A_JOB = 500  # utterances; so many are lost with a killed job


def prepare_stats(voice: VoiceOptions, nj: int, spk: str = "", teacher_exp: str = "") -> None:
    """Choose the utterances that a voice learns from -> logdir of stage 6.

    Args:
        voice: The recipe's options.
        nj: Most jobs.
        spk: Only this speaker's utterances; "main" takes the one with most; "" all.
        teacher_exp: Folder of the trained voice that gives the durations of FastSpeech 2.
    """
    config = load_train_config(voice.train_config, voice.train_args)
    check_train_config(config, voice.fs, voice.hop_length, voice.train_config)
    stats, logdir = Path(voice.stats_dir), Path(voice.stats_dir, "logdir")
    units = "word" if voice.g2p == ESPEAK else voice.token_type
    read = text_checks(Tokens(voice.token_list, units, voice.cleaner, voice.espnet_g2p))
    shortest = min_num_samples(config, voice.hop_length)

    def choose(part: str, who: list[Check], new: Collection[str] = ()) -> int:
        raw, keys = voice.raw(PARTS[part]), logdir / f"{part}.keys"
        checks = [*read, length_check(raw, shortest, voice.fs, voice.hop_length, units), *who]
        usable = filter_utterances(voice.text(PARTS[part]), keys, stats / f"skipped.{part}.tsv", checks)
        write_ids(raw, keys, stats, stats / part, new)
        return usable

    new = [kind for kind, is_new in (("sid", voice.use_sid), ("lid", voice.use_lid)) if is_new]
    train = choose("train", [speaker_check(voice.raw(PARTS["train"]), spk)] if spk else [], new)
    valid = choose("valid", known_checks(voice.raw(PARTS["valid"]), stats))
    jobs = min(nj, train, valid)
    for part in PARTS:
        _split(logdir / f"{part}.keys", logdir / part, jobs)
    if teacher_exp:
        _prepare_durations(voice, teacher_exp)
    _write_jobs(logdir, jobs, stats_arguments(voice))


def _prepare_durations(voice: VoiceOptions, teacher_exp: str) -> None:
    """A teacher of several speakers has its own numbers for them."""
    logdir = Path(voice.stats_dir, "logdir")
    takes_embeddings = has_embeddings(resolve_config(teacher_exp))
    for part, name in PARTS.items():
        write_ids(voice.raw(name), logdir / f"{part}.keys", teacher_exp, logdir / f"teacher.{part}")
        embeddings = voice.embeddings(name, "embed.scp") if takes_embeddings else None
        _write_lines(logdir / f"durations.{part}.arguments", align_arguments(voice, teacher_exp, part, embeddings))


def has_embeddings(config: dict) -> bool:
    """Whether a trained voice is given speaker embeddings, by its config.yaml."""
    conf = config.get("tts_conf") or {}
    return any((place.get("spk_embed_dim") or 0) > 0 for place in (conf, conf.get("generator_params") or {}))


def prepare_train(
    voice: VoiceOptions, exp_dir: str, ngpu: int = 0, num_nodes: int = 1, init: bool = False, pretrain: bool = False
) -> None:
    """Check that the YAML, the features and the statistics fit, and make a voice's folder ready for its training.

    Args:
        voice: The recipe's options.
        exp_dir: Experiment folder; one whose training was killed is mended.
        ngpu: GPUs of each machine.
        num_nodes: Machines.
        init: It begins with weights that ``tts_init`` writes.
        pretrain: It begins with its halves, which ``tts_join`` joins.
    """
    given = [*feature_arguments(voice), voice.train_args]
    config = load_train_config(voice.train_config, " ".join(given))
    check_train_config(config, voice.fs, voice.hop_length, voice.train_config, voice.n_fft)
    check_stats(config, voice.stats_dir, voice.hop_length, ngpu, voice.train_config)
    repair_experiment(exp_dir)
    _gather(voice, Path(exp_dir))
    words, log = train_arguments(voice, exp_dir), Path(exp_dir, "log")
    more = voice.train_args.split()
    dry_run = ["--dry_run", "true", "--output_dir", f"{exp_dir}/log/init", "--ngpu", "0"]
    _write_lines(log / "init.arguments", [*words, *dry_run, *more])
    # restart.pth is left where checkpoint.pth could not be read: weights to start from instead.
    starts = {"restart.pth": Path(exp_dir, "restart.pth").is_file(), "joined.pth": pretrain, "init.pth": init}
    start = next((name for name, is_there in starts.items() if is_there), None)
    words += ["--init_param", f"{exp_dir}/{start}"] if start else []
    words += ["--dist_backend", "gloo"] if num_nodes > 1 and ngpu == 0 else []
    words += ["--output_dir", exp_dir, "--resume", "true", "--use_tensorboard", "true"]
    words += ["--ngpu", str(ngpu), "--multiprocessing_distributed", "true"]
    _write_lines(log / "arguments", [*words, *more])


def _gather(voice: VoiceOptions, exp_dir: Path) -> None:
    """A voice carries its statistics, its speakers and its text front end with it: it can be used from elsewhere."""
    stats = Path(voice.stats_dir)
    wanted = [stats / "train" / f"{kind}_stats.npz" for kind in voice.stats_kinds]
    for path in wanted:
        if not path.is_file():
            raise FileNotFoundError(f"no {path}; run stage 6")
    if voice.model == "vits":
        wanted = []
    wanted += [path for path in (stats / SPEAKERS, stats / LANGUAGES) if path.is_file()]
    if voice.use_spk_embed:
        wanted.append(Path(voice.embeddings(PARTS["train"], EMBEDDINGS)))
    for path in wanted:
        with atomic_path(exp_dir / path.name) as temporary:
            shutil.copyfile(path, temporary)
    # What was done to the transcripts is done to what the voice is asked to say.
    if voice.is_spoken:
        TextFrontEnd(voice.language, voice.normalise, voice.g2p).save(exp_dir)


def prepare_decode(
    voice: VoiceOptions,
    exp_dir: str,
    weights: str,
    out_dir: str,
    sets: list[str],
    nj: int,
    use_teacher_forcing: bool = False,
    vocoder_file: str = "",
    decode_args: str = "",
) -> None:
    """Choose the utterances that a voice speaks -> out_dir/<set>/log; a set that has its arguments is left alone.

    Args:
        voice: The recipe's options; another recipe's voice has its own tokens.
        exp_dir: Folder of the voice.
        weights: Its checkpoint.
        out_dir: Folder with one for each set.
        sets: The sets.
        nj: Fewest jobs of each.
        use_teacher_forcing: Speak with the recording before it.
        vocoder_file: Checkpoint of ParallelWaveGAN, with config.yml beside it.
        decode_args: More options for ESPnet.
    """
    config = resolve_config(exp_dir)
    words = ["--use_teacher_forcing", str(use_teacher_forcing).lower()]
    if vocoder_file:
        conf = f"{os.path.dirname(vocoder_file)}/config.yml"
        words += ["--vocoder_file", vocoder_file, "--vocoder_config", conf]
    words += decode_args.split()
    for name in sets:
        log = Path(out_dir, name, "log")
        if not (log / "arguments").is_file():
            _prepare_set(voice, config, exp_dir, weights, f"{out_dir}/{name}", name, nj, words)


def _prepare_set(
    voice: VoiceOptions, config: dict, exp_dir: str, weights: str, out: str, name: str, nj: int, words: list[str]
) -> None:
    log, text, units = Path(out, "log"), f"{voice.raw(name)}/text", config.get("token_type", voice.token_type)
    for path in [*log.glob("output.*"), *log.glob("keys.*.scp")]:
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    if Path(exp_dir, TEXT_FILE).is_file():
        front_end, written, text = TextFrontEnd.load(exp_dir), text, f"{out}/text"
        write_spoken_text(written, text, f"{text}.unknown.tsv", front_end)
        units = "word" if front_end.writes_phonemes else units
    cleaner, g2p = config.get("cleaner", voice.cleaner), config.get("g2p", voice.espnet_g2p)
    tokens = Tokens(Path(exp_dir, "config.yaml"), units, cleaner or "none", g2p or "none")
    checks = text_checks(tokens) + known_checks(voice.raw(name), exp_dir)
    n = filter_utterances(text, log / "all.keys", Path(out, "skipped.tsv"), checks)
    write_ids(voice.raw(name), log / "all.keys", exp_dir, log)
    jobs = min(n, max(nj, -(-n // MOST_OF_A_JOB)))
    _split(log / "all.keys", log / "keys", jobs)
    write_text(log / "config.yaml", yaml.safe_dump(config, sort_keys=False, allow_unicode=True))
    if weights.endswith(".safetensors"):  # which ESPnet does not read
        weights = f"{out}/log/model.pth"
        unpack_weights(exp_dir, weights)
    embeddings = voice.embeddings(name, "utt2spk_embed.scp") if has_embeddings(config) else None
    given = decode_arguments(voice, name, f"{out}/log", text, weights, embeddings)
    _write_jobs(log, jobs, [*given, *words])


def _split(keys: Path, prefix: Path, jobs: int) -> None:
    """Share utterances among jobs, as evenly as can be -> prefix.1.scp ..."""
    lines = keys.read_text(encoding="utf-8").splitlines()
    for job in range(jobs):
        _write_lines(Path(f"{prefix}.{job + 1}.scp"), lines[job::jobs])


def _write_jobs(folder: Path, jobs: int, arguments: list[str]) -> None:
    """The arguments come last: they show that all is ready."""
    write_text(folder / "jobs", f"{jobs}\n")
    _write_lines(folder / "arguments", arguments)


def _write_lines(path: Path, lines: Iterable[str]) -> None:
    write_text(path, "".join(f"{line}\n" for line in lines))
