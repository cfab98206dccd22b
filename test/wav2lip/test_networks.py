"""The networks are those of the published system."""

import json

import numpy as np
import pytest
import torch

from silvertalk.syncnet.layers import IMG_SIZES
from silvertalk.syncnet.losses import cosine_bce, stack_window, sync_loss
from silvertalk.wav2lip import PatchDiscriminator, QualityDiscriminator, SyncNet, Wav2Lip, load_checkpoint

NETWORKS = {
    "Wav2Lip": (Wav2Lip, 96),
    "Wav2Lip_288": (Wav2Lip, 288),
    "SyncNet_color": (SyncNet, 96),
    "SyncNet_color_192": (SyncNet, 192),
    "SyncNet_color_384": (SyncNet, 384),
    "Wav2Lip_disc_qual": (QualityDiscriminator, 96),
    "Wav2Lip_disc_qual_288": (QualityDiscriminator, 288),
    "NLayerDiscriminator_384": (PatchDiscriminator, 384),
}


@pytest.fixture(scope="module")
def filled(fill):
    """Build a published network with the golden weights."""

    def build(name):
        state = {key: torch.from_numpy(value) for key, value in fill.state(name).items()}
        network, img_size = NETWORKS[name]
        return load_checkpoint(state, network(img_size)).eval()

    return build


@pytest.fixture
def draw(fill):
    """Make a golden input."""

    def tensor(name, shape, *bounds):
        return torch.from_numpy(fill.tensor(name, shape, *bounds))

    return tensor


def close(result, golden):
    """Compare with the tolerance the golden files suggest."""
    np.testing.assert_allclose(result.detach().numpy(), golden, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", NETWORKS)
def test_keys_shapes_and_types_are_published_ones(name, goldens):
    manifest = json.loads((goldens / f"{name}.keys.json").read_text())
    network, img_size = NETWORKS[name]
    with torch.device("meta"):
        state = network(img_size).state_dict()
    assert [[key, list(v.shape), str(v.dtype).removeprefix("torch.")] for key, v in state.items()] == manifest


def test_generator_matches_golden(filled, draw, goldens):
    golden, generator = np.load(goldens / "Wav2Lip.npz"), filled("Wav2Lip")
    mel, face = draw("Wav2Lip:mel4", (2, 1, 80, 16), -4, 4), draw("Wav2Lip:face4", (2, 6, 96, 96))
    face[:, :3, 48:] = 0
    blocks = [*generator.face_encoder_blocks, *generator.face_decoder_blocks]
    outputs = []
    for block in blocks:
        block.register_forward_hook(lambda module, inputs, output: outputs.append(output.detach()))
    close(generator(mel, face), golden["out4"])
    # Decoder outputs as they leave the block, before the skip is joined.
    close(torch.stack([torch.stack([o.mean(), o.std()]) for o in outputs]), golden["block_mean_std"])
    close(outputs[len(generator.face_encoder_blocks) - 1].flatten(1), golden["face_embedding"])
    close(generator.audio_encoder(mel).flatten(1), golden["audio_embedding"])
    # A comparison that could not fail would not notice this.
    assert np.abs(generator(-mel, face).detach().numpy() - golden["out4"]).mean() > 5e-3


def test_generator_of_288_pixels_matches_golden(filled, draw, goldens):
    golden = np.load(goldens / "Wav2Lip_288.npz")
    face = draw("Wav2Lip_288:face", (1, 6, 288, 288))
    face[:, :3, 144:] = 0
    with torch.inference_mode():
        out = filled("Wav2Lip_288")(draw("Wav2Lip_288:mel", (1, 1, 80, 16), -4, 4), face)
    close(torch.nn.functional.avg_pool2d(out, 8), golden["out_pool8"])
    close(out[:, :, 200:216, 136:152], golden["out_corner"])


def test_generator_folds_time_like_the_original(filled, draw, goldens):
    face = draw("Wav2Lip:face5", (2, 6, 5, 96, 96))
    face[:, :3, :, 48:] = 0
    out = filled("Wav2Lip")(draw("Wav2Lip:mel5", (2, 5, 1, 80, 16), -4, 4), face)
    close(out, np.load(goldens / "Wav2Lip.npz")["out5"])


def test_expert_matches_golden(filled, draw, goldens):
    golden, expert = np.load(goldens / "SyncNet_color.npz"), filled("SyncNet_color")
    mel = draw("SyncNet_color:mel", (2, 1, 80, 16), -4, 4)
    audio, face = expert(mel, draw("SyncNet_color:face", (2, 15, 48, 96)))
    close(audio, golden["audio"])
    close(face, golden["face"])
    close((audio * face).sum(1), golden["cosine"])
    close(cosine_bce(audio, face, torch.tensor([1.0, 0.0])), golden["bce"])
    generated = torch.from_numpy(np.load(goldens / "Wav2Lip.npz")["out5"])
    close(sync_loss(expert, mel, generated), golden["sync_loss_eval"])


def test_expert_in_train_mode_matches_golden(filled, draw, goldens):
    golden, expert = np.load(goldens / "SyncNet_color.npz"), filled("SyncNet_color").double().train()
    audio, face = expert(
        draw("SyncNet_color:mel_train", (16, 1, 80, 16), -4, 4).double(),
        draw("SyncNet_color:face_train", (16, 15, 48, 96)).double(),
    )
    close(audio[:2], golden["audio_train"])
    close(face[:2], golden["face_train"])
    close((audio * face).sum(1), golden["cosine_train"])
    close(expert.face_encoder[-1].conv_block[1].running_mean, golden["running_mean_after"])


def test_discriminator_matches_golden(filled, draw, goldens):
    golden, judge = np.load(goldens / "Wav2Lip_disc_qual.npz"), filled("Wav2Lip_disc_qual")
    fake = judge(draw("Wav2Lip_disc_qual:fake", (2, 3, 5, 96, 96)))
    real = judge(draw("Wav2Lip_disc_qual:real", (2, 3, 5, 96, 96)))
    close(fake, golden["pred_fake"])
    close(real, golden["pred_real"])
    bce = torch.nn.functional.binary_cross_entropy
    close(bce(fake, torch.ones_like(fake)), golden["perceptual_loss"])
    close(bce(real, torch.ones_like(real)), golden["loss_real"])
    close(bce(fake, torch.zeros_like(fake)), golden["loss_fake"])


@pytest.mark.parametrize("width", [0.125, 0.25])
def test_narrow_networks_learn(width):
    mel, face = torch.rand(2, 5, 1, 80, 16), torch.rand(2, 6, 5, 96, 96)
    generator, expert = Wav2Lip(width=width), SyncNet(width=width)
    out = generator(mel, face)
    assert out.shape == (2, 3, 5, 96, 96)
    sync_loss(expert, mel[:, 0], out).backward()
    assert all(p.grad is not None for p in generator.parameters())
    assert sum(p.numel() for p in generator.parameters()) < 3e6


def test_sync_loss_reaches_the_sound_of_the_generator():
    torch.manual_seed(0)
    generator, expert = Wav2Lip(width=0.125), SyncNet(width=0.125).eval().requires_grad_(False)
    mel = torch.rand(2, 5, 1, 80, 16, requires_grad=True)
    sync_loss(expert, mel[:, 0].detach(), generator(mel, torch.rand(2, 6, 5, 96, 96))).backward()
    assert mel.grad.abs().sum() > 0


@pytest.mark.parametrize("img_size", IMG_SIZES)
@pytest.mark.parametrize("width", [1.0, 0.3])
def test_networks_fit_together_at_every_size(img_size, width):
    with torch.device("meta"):  # shapes only
        generator, expert = Wav2Lip(img_size, width), SyncNet(img_size, width)
        judge, patches = QualityDiscriminator(img_size, width), PatchDiscriminator(img_size, width)
        face = torch.rand(2, 6, 5, img_size, img_size)
        out = generator(torch.rand(2, 5, 1, 80, 16), face)
        audio, video = expert(torch.rand(2, 1, 80, 16), stack_window(out))
        logits = patches(out)
    assert out.shape == (2, 3, 5, img_size, img_size)
    assert audio.shape == video.shape == (2, round((512 if img_size == 96 else 1024) * width))
    assert judge(out).shape == (10, 1)
    assert logits.shape == (10, 1, img_size // 16 - 2, img_size // 8 - 2)


@pytest.mark.parametrize("img_size", [192, 256])
def test_larger_networks_learn(img_size):
    torch.manual_seed(0)
    mel, face = torch.rand(2, 5, 1, 80, 16), torch.rand(2, 6, 5, img_size, img_size)
    networks = [network(img_size, 0.0625) for network in (Wav2Lip, SyncNet, QualityDiscriminator, PatchDiscriminator)]
    generator, expert, judge, patches = networks
    out = generator(mel, face)
    audio, video = expert(mel[:, 0], stack_window(out))
    for embedding in (audio, video):  # unit norm, not negative
        torch.testing.assert_close(embedding.norm(dim=1), torch.ones(2))
        assert embedding.min() >= 0
    (cosine_bce(audio, video, torch.ones(2)) + judge(out).mean() + patches(out).mean()).backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for network in networks for p in network.parameters())


def test_larger_experts_leak_where_the_published_ones_do():
    slopes = {size: [layer.slope for layer in SyncNet(size, 0.05).face_encoder] for size in (96, 192, 256, 384)}
    assert set(slopes[96]) == {0.0}
    assert slopes[192] == [0.2] * 17 + [0.0] * 3
    assert slopes[384] == [0.2] * 21 + [0.0]
    audio = [layer.slope for layer in SyncNet(192, 0.05).audio_encoder]
    assert audio == [0.2] * 15 + [0.0] * 2


@pytest.mark.parametrize("network", [Wav2Lip, SyncNet, QualityDiscriminator, PatchDiscriminator])
def test_unknown_size_is_refused(network):
    with pytest.raises(ValueError, match="img_size 100 .* exist for 96, 192, 256, 288, 384 pixels"):
        network(img_size=100)
