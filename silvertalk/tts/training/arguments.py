"""What ESPnet's programs are told in stages 6 to 8: lists of command line arguments.

In the order of ESPnet's tts.sh and with its folder names. JOB stands for a job's number. Nothing here imports ESPnet.
"""

import os
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from silvertalk.data.kaldi import iter_scp
from silvertalk.tts.g2p import ESPEAK
from silvertalk.tts.speakers import LANGUAGES, SPEAKERS, read_numbers
from silvertalk.tts.training.config import UPSAMPLING, generator_params, load_train_config

PARTS = {"train": "tr_no_dev", "valid": "dev"}  # ESPnet's name of a set: ours
DATA = "data_path_and_name_and_type"
LARGEST_FMAX = 7600  # Hz


@dataclass(frozen=True)
class VoiceOptions:
    """What run.sh has been told of the voice; its options have the same names."""

    train_config: str  # ESPnet training YAML (--tts_config)
    stats_dir: str  # folder of stage 6
    token_list: str  # tokens.txt of stage 5
    train_args: str = ""  # what the command line changes of the YAML (--tts_train_args)
    dumpdir: str = "dump"  # prepared audio and transcripts
    token_type: str = "char"  # char or phn
    cleaner: str = "none"  # ESPnet's text cleaner
    g2p: str = "none"  # grapheme-to-phoneme converter: ESPnet's names, or espeak
    language: str = "auto"  # of the transcripts
    normalise: str = "none"  # auto: numbers, dates, symbols and letters become words
    fs: int = 16000  # sampling rate, Hz
    n_fft: int = 1024  # points
    hop_length: int = 256  # samples from frame to frame
    use_sid: bool = False  # several speakers, told apart by numbers
    use_lid: bool = False  # several languages
    use_spk_embed: bool = False  # several speakers, described by embeddings

    @cached_property
    def model(self) -> str:
        """ESPnet's name of the model."""
        return load_train_config(self.train_config)["tts"]

    @property
    def has_pitch(self) -> bool:
        """Whether the model is given pitch and energy."""
        return self.model in ("jets", "fastspeech2")

    @property
    def stats_kinds(self) -> list[str]:
        """Features whose mean and variance stage 6 computes for the model."""
        return ["feats", *(("pitch", "energy") if self.has_pitch else ())]

    @property
    def is_spoken(self) -> bool:
        """Whether the transcripts are rewritten before ESPnet reads them."""
        return self.normalise != "none" or self.g2p == ESPEAK

    @property
    def espnet_g2p(self) -> str:
        """What ESPnet is told; eSpeak NG's phonemes are in the text already."""
        return "none" if self.g2p == ESPEAK else self.g2p

    def raw(self, name: str) -> Path:
        """Folder of a set."""
        return Path(self.dumpdir, "raw", name)

    def text(self, name: str) -> str:
        """Text of a set that ESPnet reads."""
        return str(Path(self.token_list).parent / "text" / name if self.is_spoken else self.raw(name) / "text")

    def embeddings(self, name: str, table: str) -> str:
        """Speaker embeddings of a set: embed.scp (each utterance's own), or utt2spk_embed.scp (its speaker's)."""
        return f"{self.dumpdir}/spk_embed/{name}/{table}"

    def sound(self, name: str) -> str:
        """Recordings of a set as an argument of ESPnet, which reads archives in another way than files."""
        scp = self.raw(name) / "wav.scp"
        place = next((place for _, place in iter_scp(scp)), "") if scp.is_file() else ""
        return f"{scp},speech,{'kaldi_ark' if re.search(r'[.]ark:[0-9]+$', place) else 'sound'}"


def feature_arguments(voice: VoiceOptions) -> list[str]:
    """The acoustic features, from the recipe's fs, n_fft and hop_length, so that no YAML repeats them."""
    if voice.model == "vits":
        conf = {"n_fft": voice.n_fft, "hop_length": voice.hop_length, "win_length": "null"}
        words = ["--feats_extract", "linear_spectrogram", *_conf("feats_extract", conf)]
    else:
        conf = {"fs": voice.fs, "n_fft": voice.n_fft, "hop_length": voice.hop_length, "win_length": "null"}
        conf |= {"n_mels": 80, "fmin": 80, "fmax": min(voice.fs // 2, LARGEST_FMAX)}
        words = ["--feats_extract", "fbank", *_conf("feats_extract", conf)]
    if voice.has_pitch:
        words += _pitch_arguments(voice)
    return words + (_conf("tts", {"sampling_rate": voice.fs}) if voice.model in UPSAMPLING else [])


def _conf(name: str, values: dict) -> list[str]:
    return [word for key, value in values.items() for word in (f"--{name}_conf", f"{key}={value}")]


def _pitch_arguments(voice: VoiceOptions) -> list[str]:
    """The settings of pitch and energy; by which extractor stands in the YAML."""
    shared = {"fs": voice.fs, "n_fft": voice.n_fft, "hop_length": voice.hop_length}
    return _conf("pitch_extract", shared | {"f0min": 80, "f0max": 400}) + _conf(
        "energy_extract", shared | {"win_length": "null"}
    )


def _text_arguments(voice: VoiceOptions) -> list[str]:
    """How text becomes tokens."""
    words = ["--use_preprocessor", "true", "--token_type", voice.token_type, "--token_list", voice.token_list]
    return [*words, "--non_linguistic_symbols", "none", "--cleaner", voice.cleaner, "--g2p", voice.espnet_g2p]


def _speaker_arguments(voice: VoiceOptions) -> list[str]:
    """For a voice of several speakers or languages the sizes of the model's tables, and who speaks what."""
    if not (voice.use_sid or voice.use_lid or voice.use_spk_embed):
        return []
    sizes = {}
    if voice.use_sid:
        sizes["spks"] = len(read_numbers(Path(voice.stats_dir, SPEAKERS)))
    if voice.use_lid:
        sizes["langs"] = len(read_numbers(Path(voice.stats_dir, LANGUAGES)))
    if voice.use_spk_embed:
        sizes["spk_embed_dim"] = 256
    # VITS gives them to all of its parts, through channels that a voice of one speaker does not have.
    conf = generator_params(load_train_config(voice.train_config))
    if voice.model == "vits" and conf.get("global_channels", -1) <= 0:
        sizes["global_channels"] = 256
    inside = "generator_params." if voice.model in UPSAMPLING else ""
    words = _conf("tts", {f"{inside}{key}": value for key, value in sizes.items()})
    for part, name in PARTS.items():
        embeddings = voice.embeddings(name, "embed.scp") if voice.use_spk_embed else None
        words += _with(f"--{part}_{DATA}", conditions(f"{voice.stats_dir}/{part}", embeddings))
    return words


def _with(option: str, values: list[str]) -> list[str]:
    return [word for value in values for word in (option, value)]


def conditions(ids: str | os.PathLike, embeddings: str | None) -> list[str]:
    """Who speaks, and in which language, as ESPnet's path,name,type.

    Args:
        ids: Folder with utt2sid and utt2lid, where the voice takes them.
        embeddings: Table of speaker embeddings, where it takes them.
    """
    named = [(f"{ids}/utt2sid", "sids,text_int"), (f"{ids}/utt2lid", "lids,text_int")]
    found = [f"{path},{kind}" for path, kind in named if Path(path).is_file()]
    return found + ([f"{embeddings},spembs,kaldi_ark"] if embeddings else [])


def stats_arguments(voice: VoiceOptions) -> list[str]:
    """Stage 6: shapes, mean and variance, pitch and energy of every utterance of a job."""
    logdir = f"{voice.stats_dir}/logdir"
    words = ["--config", voice.train_config, "--collect_stats", "true", "--write_collected_feats", "true"]
    words += _text_arguments(voice) + feature_arguments(voice)
    if voice.model == "tacotron2":  # what JETS needs, so that both can use one folder
        pitch = {"reduction_factor": 1, "use_token_averaged_f0": "false"}
        energy = {"reduction_factor": 1, "use_token_averaged_energy": "false"}
        words += ["--pitch_extract", "dio", *_conf("pitch_extract", pitch)]
        words += ["--energy_extract", "energy", *_conf("energy_extract", energy)]
        words += _pitch_arguments(voice)
    words += _speaker_arguments(voice)
    if voice.model == "fastspeech2":
        for part in PARTS:
            words += [f"--{part}_{DATA}", f"{voice.stats_dir}/{part}/durations,durations,text_int"]
    words += ["--normalize", "none", "--pitch_normalize", "none", "--energy_normalize", "none"]
    for part, name in PARTS.items():
        words += [f"--{part}_{DATA}", f"{voice.text(name)},text,text", f"--{part}_{DATA}", voice.sound(name)]
    for part in PARTS:
        words += [f"--{part}_shape_file", f"{logdir}/{part}.JOB.scp"]
    return [*words, "--output_dir", f"{logdir}/stats.JOB", "--ngpu", "0", *voice.train_args.split()]


def align_arguments(voice: VoiceOptions, teacher_exp: str, part: str, embeddings: str | None) -> list[str]:
    """Stage 6 of FastSpeech 2: frames of each token of train or valid, as a teacher hears them (``tts_align``)."""
    logdir, name = f"{voice.stats_dir}/logdir", PARTS[part]
    words = ["--exp_dir", teacher_exp, "--train_config", voice.train_config, "--token_list", voice.token_list]
    words += ["--token_type", voice.token_type, "--cleaner", voice.cleaner, "--g2p", voice.espnet_g2p]
    words += ["--fs", str(voice.fs), "--hop_length", str(voice.hop_length)]
    words += ["--keys", f"{logdir}/{part}.JOB.scp", "--out", f"{logdir}/durations.{part}.JOB", "--data"]
    words += [f"{voice.text(name)},text,text", voice.sound(name)]
    return words + conditions(f"{logdir}/teacher.{part}", embeddings)


def train_arguments(voice: VoiceOptions, exp_dir: str) -> list[str]:
    """Stage 7: the model and what it learns from; shared by the training and by the dry run before it."""
    words = ["--config", voice.train_config]
    words += _text_arguments(voice) + feature_arguments(voice) + _speaker_arguments(voice)
    for part, name in PARTS.items():
        stats = f"{voice.stats_dir}/{part}"
        words += [f"--{part}_{DATA}", f"{voice.text(name)},text,text", f"--{part}_{DATA}", voice.sound(name)]
        words += [f"--{part}_shape_file", f"{stats}/text_shape.{voice.token_type}"]
        words += [f"--{part}_shape_file", f"{stats}/speech_shape"]
        for kind in voice.stats_kinds[1:]:
            words += [f"--{part}_{DATA}", f"{stats}/collect_feats/{kind}.scp,{kind},npy"]
        if voice.model == "fastspeech2":
            words += [f"--{part}_{DATA}", f"{stats}/durations,durations,text_int"]
    if voice.model == "vits":  # takes the spectrogram as it is
        return [*words, "--normalize", "none"]
    for kind in voice.stats_kinds:
        option = "normalize" if kind == "feats" else f"{kind}_normalize"
        words += [f"--{option}", "global_mvn", f"--{option}_conf", f"stats_file={exp_dir}/{kind}_stats.npz"]
    return words


def decode_arguments(
    voice: VoiceOptions, name: str, log_dir: str, text: str, weights: str, embeddings: str | None
) -> list[str]:
    """Stage 8: a job of a set, without the folder it writes.

    Args:
        voice: The recipe's options.
        name: The set.
        log_dir: Folder with keys.JOB.scp, config.yaml and the numbers of speakers and languages.
        text: What is spoken.
        weights: The voice's checkpoint (.pth).
        embeddings: Table of the speakers' embeddings, if it takes them.
    """
    tables = [f"{text},text,text", voice.sound(name), *conditions(log_dir, embeddings)]
    words = _with(f"--{DATA}", tables) + ["--key_file", f"{log_dir}/keys.JOB.scp", "--model_file", weights]
    return [*words, "--train_config", f"{log_dir}/config.yaml", "--ngpu", "0", "--always_fix_seed", "true"]
