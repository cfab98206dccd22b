"""How many frames of a recording each token takes, as a trained voice hears it: what FastSpeech 2 learns."""

import logging
import os
from collections.abc import Iterable
from itertools import zip_longest
from pathlib import Path

import numpy as np

from silvertalk.tts.experiment import resolve_config
from silvertalk.tts.synthesizer import Synthesizer
from silvertalk.tts.text import read_token_list
from silvertalk.tts.training.config import load_train_config
from silvertalk.utils import atomic_path, progress


class Aligner:
    """Durations from a voice that is told what was said and hears how.

    Tacotron 2: the token that its attention looks at most in each frame, with the recording as the frames before
    (teacher forcing). JETS: the best path through its alignment of tokens and frames (Badlani et al., 2022). VITS:
    monotonic alignment search (Kim et al., 2020).

    Args:
        text2speech: ESPnet's ``Text2Speech`` of a trained voice.
    """

    def __init__(self, text2speech):
        self.text2speech = text2speech
        self.model = text2speech.model.eval()
        text2speech.vocoder = None  # nothing is to be heard
        text2speech.use_teacher_forcing = True
        text2speech.decode_conf["use_teacher_forcing"] = True

    def __call__(self, text, speech, **speaker) -> np.ndarray:
        """Align one utterance.

        Args:
            text: Token ids (T_text,).
            speech: Recording (T_wav,) at the voice's sampling rate.
            **speaker: ``sids``, ``lids`` or ``spembs`` for a voice of several speakers.

        Returns:
            Frames of each token and of the end of the sentence, int (T_text + 1,). Their sum is the number of frames
            of the recording, divided by the voice's reduction factor and rounded down.
        """
        if type(self.text2speech.tts).__name__ == "JETS":
            durations = self._by_alignment(text, speech, **speaker)
        else:
            durations = self.text2speech(text, speech=speech, **speaker)["duration"]
        durations = durations.flatten().long().cpu().numpy()
        # Models of sound know no end of the sentence.
        return np.pad(durations, (0, len(text) + 1 - len(durations)))

    def _by_alignment(self, text, speech, sids=None, lids=None, spembs=None):
        """JETS without its vocoder; ESPnet's own teacher forcing of it asks for the durations that are wanted here."""
        import torch
        from espnet2.gan_tts.jets.alignments import viterbi_decode

        jets = self.model.tts.generator
        with torch.no_grad():
            feats, feats_lengths = self.model.feats_extract(speech[None], torch.tensor([len(speech)]))
            if self.model.normalize is not None:
                feats, feats_lengths = self.model.normalize(feats, feats_lengths)
            text_lengths = torch.tensor([len(text)])
            hidden, _ = jets.encoder(text[None], jets._source_mask(text_lengths))
            if jets.spks is not None:
                hidden = hidden + jets.sid_emb(sids.view(-1)).unsqueeze(1)
            if jets.langs is not None:
                hidden = hidden + jets.lid_emb(lids.view(-1)).unsqueeze(1)
            if jets.spk_embed_dim is not None:
                hidden = jets._integrate_with_spk_embed(hidden, spembs[None])
            padding = torch.zeros(1, len(text), dtype=torch.bool)
            log_p_attn = jets.alignment_module(hidden, feats, text_lengths, feats_lengths, padding)
            durations, _ = viterbi_decode(log_p_attn, text_lengths, feats_lengths)
        return durations[0]


def align(
    exp_dir: str,
    data: list[str],
    keys: str,
    out: str,
    train_config: str,
    token_list: str,
    token_type: str,
    cleaner: str,
    g2p: str,
    fs: int,
    hop_length: int,
) -> None:
    """Write the durations of utterances as a trained voice hears them.

    Args:
        exp_dir: Experiment folder of the teacher.
        data: The utterances, as for ESPnet: path,name,type of text, speech and, for several speakers, who speaks.
        keys: File with the utterance ids, one a line (the first word).
        out: Kaldi text file to write: utterance id and the frames of its tokens.
        train_config: Training YAML of the voice that will learn them.
        token_list: Its tokens.
        token_type: Its token type.
        cleaner: Its text cleaner.
        g2p: Its grapheme-to-phoneme converter.
        fs: Its sampling rate, Hz.
        hop_length: Its samples from frame to frame.
    """
    factor = load_train_config(train_config).get("tts_conf", {}).get("reduction_factor", 1)
    wanted = {
        "tokens": read_token_list(token_list),
        "--token_type": token_type,
        "--cleaner": cleaner,
        "--g2p": g2p,
        "--fs": fs,
        "--hop_length": hop_length,
        "reduction_factor": factor,
    }
    check_teacher(resolve_config(exp_dir), wanted, exp_dir)
    text2speech = Synthesizer.from_exp(exp_dir, vocoder_file="none").text2speech
    aligner = Aligner(text2speech)
    utt_ids = [line.split()[0] for line in Path(keys).read_text(encoding="utf-8").splitlines()]
    frames = tokens = 0
    with atomic_path(out) as temporary, open(temporary, "w", encoding="utf-8") as file:
        for utt_id, batch in progress(_read(text2speech, data, keys), total=len(utt_ids), desc="aligned"):
            durations = aligner(**batch)
            file.write(f"{utt_id} {' '.join(map(str, durations))}\n")
            frames, tokens = frames + durations.sum(), tokens + len(durations) - 1
    logging.info("%s: %d utterances, %.1f frames per token", out, len(utt_ids), frames / max(1, tokens))


def _read(text2speech, data: list[str], keys: str) -> Iterable[tuple[str, dict]]:
    """Utterances as ESPnet's inference reads them: name, and tensors by name."""
    from espnet2.tasks.tts import TTSTask

    loader = TTSTask.build_streaming_iterator(
        [tuple(entry.rsplit(",", 2)) for entry in data],
        dtype="float32",
        batch_size=1,
        key_file=keys,
        num_workers=0,
        preprocess_fn=TTSTask.build_preprocess_fn(text2speech.train_args, False),
        collate_fn=TTSTask.build_collate_fn(text2speech.train_args, False),
        inference=True,
    )
    for (utt_id,), batch in loader:
        yield utt_id, {name: value[0] for name, value in batch.items() if not name.endswith("_lengths")}


def check_teacher(teacher: dict, wanted: dict, exp_dir: str | os.PathLike) -> None:
    """Check that a teacher's tokens and frames are those of its pupil.

    Args:
        teacher: The teacher's config.yaml.
        wanted: What the pupil has: tokens, --token_type, --cleaner, --g2p, --fs, --hop_length, reduction_factor.
        exp_dir: The teacher's folder, for messages.

    Raises:
        ValueError: They differ; the message names both values.
    """
    tokens, own = wanted["tokens"], list(teacher.get("token_list") or [])
    if own != tokens:
        place = next(k for k, pair in enumerate(zip_longest(own, tokens)) if pair[0] != pair[1])
        raise ValueError(
            f"the teacher {exp_dir} has {len(own)} tokens, this recipe {len(tokens)}; number {place} is"
            f" {own[place : place + 1]} there and {tokens[place : place + 1]} here: train the teacher with the token"
            " list of this recipe"
        )
    feats, conf = teacher.get("feats_extract_conf") or {}, teacher.get("tts_conf") or {}
    has = {
        "--token_type": teacher.get("token_type"),
        "--cleaner": teacher.get("cleaner") or "none",
        "--g2p": teacher.get("g2p") or "none",
        "--fs": conf.get("sampling_rate", feats.get("fs")),
        "--hop_length": feats.get("hop_length"),
        "reduction_factor": conf.get("reduction_factor", 1),
    }
    for option, value in has.items():
        if str(value) != str(wanted[option]):
            raise ValueError(
                f"the teacher {exp_dir} has {option.removeprefix('--')} {value}, this voice {option} {wanted[option]};"
                " its durations would not fit: take another --teacher_exp, or the teacher's value"
            )
