"""The networks are those of the published system."""

import json

import numpy as np
import pytest
import torch

from silvertalk.makeittalk import networks
from silvertalk.makeittalk.networks import (
    AutoVC,
    ContentBranch,
    GruDiscriminator,
    ImageTranslation,
    LandmarkDiscriminator,
    SpeakerBranch,
    TransformerDiscriminator,
)

PUBLISHED = {
    "autovc_generator": (AutoVC, {}),
    "content": (ContentBranch, {}),
    "speaker_pos": (SpeakerBranch, {}),
    "speaker_pos_enc16": (SpeakerBranch, {"spk_emb_enc_size": 16}),
    "disc_landmark": (LandmarkDiscriminator, {}),
    "disc_transformer": (TransformerDiscriminator, {}),
    "disc_gru": (GruDiscriminator, {}),
    "image_translation": (ImageTranslation, {}),
    "image_translation_audio7": (ImageTranslation, {"in_channels": 7}),
}
WITHOUT_OUTPUTS = ("speaker_pos_enc16", "image_translation_audio7")


def given(golden, *names):
    """Golden inputs as tensors."""
    return [torch.from_numpy(golden[name]) for name in names]


def close(result, wanted, atol):
    """Compare within the tolerance the golden files suggest."""
    np.testing.assert_allclose(result.detach().numpy(), wanted, rtol=0, atol=atol)


@pytest.mark.parametrize("name", PUBLISHED)
def test_keys_shapes_and_types_are_published_ones(name, manifest):
    network, options = PUBLISHED[name]
    with torch.device("meta"):
        state = network(**options).state_dict()
    assert [[key, list(v.shape), str(v.dtype).removeprefix("torch.")] for key, v in state.items()] == manifest(name)


@pytest.mark.parametrize("name", [name for name in PUBLISHED if name not in WITHOUT_OUTPUTS])
def test_weights_are_the_golden_ones(name, filled, goldens):
    wanted = json.loads((goldens / "networks.json").read_text())[name]
    network = filled(name)
    assert type(network) is PUBLISHED[name][0]
    filled_ones = [v for k, v in network.state_dict().items() if not k.endswith(".pe")]
    assert sum(p.numel() for p in network.parameters()) == wanted["params"]
    total = sum(float(v.sum(dtype=torch.float64)) for v in filled_ones)
    assert total == pytest.approx(wanted["fill_sum"], abs=1e-3)


def test_voice_conversion_matches_golden(filled, golden):
    data, network = golden("autovc_generator"), filled("autovc_generator")
    mel, source, target = given(data, "mel", "emb_src", "emb_trg")
    f0 = torch.nn.functional.one_hot(torch.from_numpy(data["f0_bins"]).long(), 257).float()[None]
    out, postnet, codes = network(mel, source, f0, target)
    close(out, data["out_mel"], 1e-5)
    close(postnet, data["out_mel_postnet"], 1e-3)
    close(codes, data["out_codes"], 1e-5)
    # Comparisons that could not fail would not notice these.
    assert (network(mel, target, f0, target)[2] - codes).abs().max() > 1e-3
    assert (network(mel, source, f0, source)[1] - postnet).abs().max() > 1e-2


def test_content_branch_matches_golden(filled, golden):
    data = golden("content")
    close(filled("content")(*given(data, "au", "face_id")), data["out"], 1e-5)


def test_speaker_branch_matches_golden(filled, golden, inputs):
    data, network = golden("speaker_pos"), filled("speaker_pos")
    au, embedding, z = given(data, "au", "emb", "z")
    close(network.encoder.pe.pe[0], data["pe"], 1e-6)
    close(network.spk_emb_encoder(3 * embedding), data["out_spk_encode"], 2e-5)
    close(network(au, 3 * embedding), data["out"], 2e-5)
    close(network(au, 3 * embedding, z), data["out_with_z"], 2e-5)
    long = torch.from_numpy(inputs.named_normal("a2l.au512", (512, 18, 80)))
    close(network(long, 3 * embedding)[[0, 255, 511]], data["out_512_rows_0_255_511"], 2e-5)


def test_several_sequences_go_through_the_speaker_branch_at_once(filled, golden):
    network = filled("speaker_pos")
    au, embedding, z = given(golden("speaker_pos"), "au", "emb", "z")
    together = network(torch.stack([au, au.flip(0)]), embedding.repeat(2, 1), torch.stack([z, z]))
    close(together[0], network(au, embedding, z), 2e-5)
    close(together[1], network(au.flip(0), embedding, z), 2e-5)
    with pytest.raises(ValueError, match="sequence of 513 is too long"):
        network.encoder(torch.zeros(1, 513, 512))


def test_discriminators_match_golden(filled, golden):
    data = golden("disc_landmark")
    close(filled("disc_landmark")(*given(data, "fls")), data["out"], 2e-5)
    data = golden("disc_gru")
    close(filled("disc_gru")(*given(data, "fls", "comb")), data["out"], 2e-5)
    data, network = golden("disc_transformer"), filled("disc_transformer")
    for network.step in (1, 16):
        close(network(*given(data, "fls", "spk_emb")), data[f"out_win64_step{network.step}"], 2e-5)
    network.step = 1
    short, speaker = torch.from_numpy(data["fls"][:30]), torch.from_numpy(data["spk_emb"][:1])
    assert network(short, speaker).shape == (1, 1)


def test_image_translation_matches_golden(filled, golden, inputs):
    data, network = golden("image_translation"), filled("image_translation")
    with torch.inference_mode():
        close(network(torch.from_numpy(inputs.uniform_image(12, (2, 6, 64, 64)))), data["out_64"], 1e-4)


@pytest.mark.recipe
def test_image_translation_matches_golden_at_256_pixels(filled, golden, inputs):
    data, network = golden("image_translation"), filled("image_translation")
    with torch.inference_mode():
        out = network(torch.from_numpy(inputs.uniform_image(11, (1, 6, 256, 256))))
    close(out[:, :, ::4, ::4], data["out_256_stride4"], 1e-4)
    close(out[:, :, 100], data["out_256_row100"], 1e-4)


SMALL = {
    "AutoVC": {"num_mels": 8, "neck": 2, "emb": 4, "pre": 16, "freq": 4, "num_f0": 5},
    "ContentBranch": {"hidden_size": 8, "dropout": 0.5},
    "SpeakerBranch": {"hidden_size": 8, "d_model": 8, "ff_size": 8, "layers": 1, "pos_dim": 7, "dropout": 0.2},
    "LandmarkDiscriminator": {},
    "TransformerDiscriminator": {"window": 8, "d_model": 8, "ff_size": 8},
    "GruDiscriminator": {"window": 8, "hidden_size": 8},
    "ImageTranslation": {"ngf": 2, "num_downs": 7},
}


def run(network):
    """Run a small network; gives its outputs."""
    torch.manual_seed(0)
    au, face, embedding = torch.randn(20, 18, 80), torch.randn(20, 204), torch.randn(1, 256)
    calls = {
        "AutoVC": lambda: network(torch.rand(2, 8, 8), torch.rand(2, 4), torch.rand(2, 8, 5), torch.rand(2, 4)),
        "ContentBranch": lambda: [network(au, face)],
        "SpeakerBranch": lambda: network.with_pose(au, embedding),
        "LandmarkDiscriminator": lambda: [network(face)],
        "TransformerDiscriminator": lambda: [network(face, torch.randn(20, 128))],
        "GruDiscriminator": lambda: [network(face, torch.randn(20, 256))],
        "ImageTranslation": lambda: [network(torch.rand(2, 6, 256, 256))],
    }
    return calls[type(network).__name__]()


SHAPES = {
    "AutoVC": [(2, 8, 8), (2, 8, 8), (2, 8)],
    "ContentBranch": [(20, 204)],
    "SpeakerBranch": [(20, 204), (20, 7)],
    "LandmarkDiscriminator": [(20, 1)],
    "TransformerDiscriminator": [(12, 1)],
    "GruDiscriminator": [(9, 1)],
    "ImageTranslation": [(2, 3, 256, 256)],
}


@pytest.mark.parametrize("kind", SMALL)
def test_small_networks_learn_and_name_their_options(kind):
    network = getattr(networks, kind)(**SMALL[kind])
    assert network.options.items() >= SMALL[kind].items()
    assert type(network)(**network.options).options == network.options
    outs = run(network)
    assert [tuple(out.shape) for out in outs] == SHAPES[kind]
    sum(out.square().mean() for out in outs).backward()
    unmoved = [name for name, p in network.named_parameters() if p.requires_grad and p.grad is None]
    assert not unmoved and all(p.grad is None or p.grad.isfinite().all() for p in network.parameters())


@pytest.mark.parametrize("kind", ["ContentBranch", "SpeakerBranch"])
def test_dropout_only_in_training(kind):
    network = getattr(networks, kind)(**SMALL[kind])
    call = (lambda au: network(au, torch.zeros(1, 204))) if kind == "ContentBranch" else network.forward
    rest = () if kind == "ContentBranch" else (torch.zeros(1, 256),)
    au = torch.randn(4, 18, 80)
    network.train()
    assert not torch.equal(call(au, *rest), call(au, *rest))
    network.eval()
    assert torch.equal(call(au, *rest), call(au, *rest))


def test_wrong_sizes_are_refused():
    with pytest.raises(ValueError, match="num_downs is 4"):
        ImageTranslation(num_downs=4)
    with pytest.raises(ValueError, match="d_model 9 cannot be shared by 2 heads"):
        SpeakerBranch(d_model=9)
    with pytest.raises(ValueError, match="no pose; build it with pos_dim=7"):
        SpeakerBranch(hidden_size=4).with_pose(torch.zeros(2, 18, 80), torch.zeros(1, 256))
    small = AutoVC(**SMALL["AutoVC"])
    with pytest.raises(ValueError, match="9 mel frames are no multiple of 4"):
        small.encode(torch.zeros(1, 9, 8), torch.zeros(1, 4))
