"""Durations as a trained voice hears them."""

import numpy as np
import pytest
import torch

from silvertalk.tts import Synthesizer
from silvertalk.tts.training.align import Aligner, check_teacher

TEACHER = {
    "token_list": ["<blank>", "<unk>", "a", "b", "<sos/eos>"],
    "token_type": "char",
    "cleaner": None,
    "g2p": None,
    "feats_extract_conf": {"fs": 16000, "hop_length": 256},
    "tts_conf": {"reduction_factor": 1},
}
PUPIL = {
    "tokens": ["<blank>", "<unk>", "a", "b", "<sos/eos>"],
    "--token_type": "char",
    "--cleaner": "none",
    "--g2p": "none",
    "--fs": 16000,
    "--hop_length": 256,
    "reduction_factor": 1,
}


def test_a_teacher_of_the_same_kind_is_welcome():
    check_teacher(TEACHER, PUPIL, "exp/tts")


@pytest.mark.parametrize(
    "changed, message",
    [
        ({"--fs": 22050}, "has fs 16000, this voice --fs 22050"),
        ({"--hop_length": 300}, "has hop_length 256, this voice --hop_length 300"),
        ({"--g2p": "g2pk"}, "has g2p none, this voice --g2p g2pk"),
        ({"reduction_factor": 2}, "has reduction_factor 1, this voice reduction_factor 2"),
        ({"tokens": ["<blank>", "<unk>", "a", "c", "<sos/eos>"]}, r"number 3 is \['b'\] there and \['c'\] here"),
        ({"tokens": ["<blank>", "<unk>", "a", "b"]}, r"5 tokens, this recipe 4; number 4 is \['<sos/eos>'\] there"),
    ],
)
def test_a_teacher_of_another_kind_is_refused(changed, message):
    with pytest.raises(ValueError, match=message):
        check_teacher(TEACHER, PUPIL | changed, "exp/tts")


@pytest.mark.recipe
def test_jets_gives_every_frame_to_a_token(tiny_voice):
    aligner = Aligner(Synthesizer.from_exp(tiny_voice).text2speech)
    sound = torch.from_numpy(np.random.default_rng(0).normal(0, 0.1, 16000).astype(np.float32))
    durations = aligner(torch.tensor([3, 4, 5, 6]), sound)
    assert durations.shape == (5,) and durations[-1] == 0
    assert durations.sum() == 16000 // 256 + 1 and durations[:-1].min() >= 1
