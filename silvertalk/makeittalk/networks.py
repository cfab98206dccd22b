"""The networks of MakeItTalk: voice conversion, the two landmark branches, discriminators, image translation.

Zhou, Han, Shechtman, Echevarria, Kalogerakis, Li: "MakeItTalk: Speaker-Aware
Talking-Head Animation", SIGGRAPH Asia 2020 (arXiv 2004.12992); AutoVC after
Qian et al., ICML 2019 (arXiv 1905.05879), with F0 after Qian et al., ICASSP
2020. State-dict keys and shapes at the default options are those of the
published networks, so that their checkpoints load and ours load in their
tools; smaller options give smaller networks of the same layout.

Sound is mel spectrograms of 62.5 frames per second (80 mels); a window is 18
frames and predicts the landmarks of its first. Landmarks are (68, 3) or 204
numbers, x y z by turns, of a normalised face (geometry.py). Pictures are NCHW,
BGR in [0, 1].
"""

import torch
from torch import nn

from silvertalk.makeittalk.layers import (
    MAX_LENGTH,
    Decoder,
    Encoder,
    UNetLevel,
    conv_group_norm,
    mlp,
)
from silvertalk.training.network import Network

__all__ = [
    "MAX_LENGTH",
    "NUM_LANDMARKS",
    "WINDOW",
    "AutoVC",
    "ContentBranch",
    "GruDiscriminator",
    "ImageTranslation",
    "LandmarkDiscriminator",
    "SpeakerBranch",
    "TransformerDiscriminator",
]

WINDOW = 18  # mel frames a branch looks at, 0.288 s
NUM_LANDMARKS = 204  # 68 points of x, y, z


class AutoVC(Network):
    """Voice conversion: a mel spectrogram, through a narrow neck, in another speaker's voice.

    Args:
        num_mels: Mel bands.
        neck: Half the numbers of a code.
        emb: Size of a speaker embedding.
        pre: Channels of all inner layers, a multiple of 16.
        freq: Frames that share a code; lengths are multiples of it.
        num_f0: Classes of F0: unvoiced, then bins.
    """

    def __init__(self, num_mels=80, neck=16, emb=256, pre=512, freq=16, num_f0=257):
        super().__init__()
        self.freq = freq
        self.encoder = _VoiceEncoder(num_mels + emb, pre, neck)
        self.decoder = _VoiceDecoder(2 * neck + emb + num_f0, pre, num_mels)
        self.postnet = _Postnet(num_mels, pre)

    def encode(self, mel: torch.Tensor, embedding: torch.Tensor) -> torch.Tensor:
        """Squeeze a voice: what remains has no room for the speaker.

        Args:
            mel: (B, T, num_mels), T a multiple of ``freq``.
            embedding: (B, emb) of its speaker.

        Returns:
            Codes (B, T / freq, 2 * neck): of each ``freq`` frames the forward state at their last, the backward
            state at their first.
        """
        if mel.shape[1] % self.freq:
            raise ValueError(f"{mel.shape[1]} mel frames are no multiple of {self.freq}; pad them")
        speaker = embedding[:, None].expand(-1, mel.shape[1], -1)
        forward, backward = self.encoder(torch.cat([mel, speaker], -1)).chunk(2, -1)
        return torch.cat([forward[:, self.freq - 1 :: self.freq], backward[:, :: self.freq]], -1)

    def decode(self, codes: torch.Tensor, embedding: torch.Tensor, f0: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Say it in a voice.

        Args:
            codes: (B, T / freq, 2 * neck).
            embedding: (B, emb) of the speaker to sound like.
            f0: (B, T, num_f0) one-hot.

        Returns:
            mel and mel_postnet, each (B, T, num_mels).
        """
        speaker = embedding[:, None].expand(-1, f0.shape[1], -1)
        mel = self.decoder(torch.cat([codes.repeat_interleave(self.freq, 1), speaker, f0], -1))
        return mel, mel + self.postnet(mel)

    def forward(
        self, mel: torch.Tensor, source: torch.Tensor, f0: torch.Tensor, target: torch.Tensor
    ) -> tuple[torch.Tensor, ...]:
        """Convert a voice.

        Args:
            mel: (B, T, num_mels), T a multiple of ``freq``.
            source: (B, emb) embedding of its speaker.
            f0: (B, T, num_f0) one-hot.
            target: (B, emb) embedding of the speaker to sound like.

        Returns:
            mel and mel_postnet (B, T, num_mels), codes (B, T / freq * 2 * neck).
        """
        codes = self.encode(mel, source)
        return *self.decode(codes, target, f0), codes.flatten(1)


class _VoiceEncoder(nn.Module):
    """Three convolutions and a bidirectional LSTM."""

    def __init__(self, c_in: int, pre: int, neck: int):
        super().__init__()
        self.convolutions = nn.ModuleList(conv_group_norm(c, pre) for c in (c_in, pre, pre))
        self.lstm = nn.LSTM(pre, neck, 2, batch_first=True, bidirectional=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, T, c_in) -> (B, T, 2 * neck)."""
        x = x.transpose(1, 2)
        for conv in self.convolutions:
            x = torch.relu(conv(x))
        return self.lstm(x.transpose(1, 2))[0]


class _VoiceDecoder(nn.Module):
    """Three layers of LSTM and a projection."""

    def __init__(self, c_in: int, pre: int, num_mels: int):
        super().__init__()
        self.lstm = nn.LSTM(c_in, pre, 3, batch_first=True)
        self.linear_projection = nn.ModuleDict({"linear_layer": nn.Linear(pre, num_mels)})

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, T, c_in) -> (B, T, num_mels)."""
        return self.linear_projection["linear_layer"](self.lstm(x)[0])


class _Postnet(nn.Module):
    """Five convolutions that correct a mel spectrogram."""

    def __init__(self, num_mels: int, pre: int):
        super().__init__()
        sizes = [num_mels, pre, pre, pre, pre, num_mels]
        self.convolutions = nn.ModuleList(map(conv_group_norm, sizes[:-1], sizes[1:]))

    def forward(self, mel: torch.Tensor) -> torch.Tensor:
        """(B, T, num_mels) -> (B, T, num_mels)."""
        x = mel.transpose(1, 2)
        for conv in self.convolutions[:-1]:
            x = torch.tanh(conv(x))
        return self.convolutions[-1](x).transpose(1, 2)


class ContentBranch(Network):
    """What is said, as movement of the face: chiefly of the lips.

    Args:
        window: Mel frames of a window (for whoever cuts them; any number goes through).
        in_size: Mel bands.
        hidden_size: Width.
        dropout: Between the layers of the LSTM, in training.
    """

    PRIOR = 161  # numbers per frame that the LSTM is given

    def __init__(self, window=WINDOW, in_size=80, hidden_size=256, dropout=0.0):
        super().__init__()
        self.fc_prior = mlp(in_size, hidden_size, self.PRIOR, slope=0.2, norm=True)
        self.fc = mlp(hidden_size + NUM_LANDMARKS, 2 * hidden_size, hidden_size, NUM_LANDMARKS, slope=0.2, norm=True)
        self.bilstm = nn.LSTM(self.PRIOR, hidden_size, 3, batch_first=True, dropout=dropout)

    def forward(self, au: torch.Tensor, face: torch.Tensor) -> torch.Tensor:
        """Predict displacements.

        Args:
            au: (N, 18, 80), windows of converted mel, normalised.
            face: (1, 204) or (N, 204), the normalised face at rest.

        Returns:
            (N, 204), to be added to ``face``.
        """
        prior = self.fc_prior(au.flatten(0, 1)).unflatten(0, au.shape[:2])
        last = self.bilstm(prior)[0][:, -1]
        return self.fc(torch.cat([last, face.expand(len(au), -1)], 1))


class SpeakerBranch(Network):
    """How a speaker moves: the whole face and the head, over up to 512 windows (8.2 s) at a time.

    Args:
        spk_emb_enc_size: Numbers that remain of the speaker embedding: 128 in
            the published weights, 16 in the published training script.
        emb: Size of the embedding.
        in_size: Mel bands.
        hidden_size: Width of the LSTM.
        d_model: Width of the transformer.
        layers: Its layers.
        heads: Its attention heads.
        ff_size: Width of its feed-forward layers.
        z_size: Numbers of noise.
        pos_dim: With 7 a second output gives the head's pose, which only training uses; published: 0.
        dropout: In LSTM and transformer, in training.
    """

    def __init__(
        self, spk_emb_enc_size=128, emb=256, in_size=80, hidden_size=256, d_model=64, layers=2, heads=2, ff_size=2048,
        z_size=128, pos_dim=0, dropout=0.0,
    ):  # fmt: skip
        super().__init__()
        self.z_size = z_size
        self.audio_content_encoder = nn.LSTM(in_size, hidden_size, 3, batch_first=True, dropout=dropout)
        self.spk_emb_encoder = mlp(emb, 256, 128, spk_emb_enc_size, slope=0.02)
        sizes = (d_model, layers, heads, ff_size, dropout)
        self.encoder = Encoder(hidden_size + spk_emb_enc_size + z_size, *sizes)
        self.decoder = Decoder(NUM_LANDMARKS, *sizes).requires_grad_(False)  # never used; the published keys have it
        self.out = mlp(d_model + z_size, 512, 256, NUM_LANDMARKS, slope=0.02)
        self.pose = mlp(d_model + z_size, 256, pos_dim, slope=0.02) if pos_dim else None

    def forward(self, au: torch.Tensor, embedding: torch.Tensor, z: torch.Tensor | None = None) -> torch.Tensor:
        """Predict displacements.

        Args:
            au: (N, 18, 80), or (B, N, 18, 80): windows that follow each other (N at most 512), normalised.
            embedding: (1, 256), or (B, 256), of the speaker. The published weights want three times the embedding.
            z: (N, 128) or (B, N, 128), noise; None: zeros.

        Returns:
            (N, 204) or (B, N, 204), to be added to the face at rest.
        """
        return self.out(self._hidden(au, embedding, z))

    def with_pose(self, au: torch.Tensor, embedding: torch.Tensor, z: torch.Tensor | None = None):
        """Predict displacements as ``forward`` does, and poses (N, pos_dim) or (B, N, pos_dim), for training."""
        if self.pose is None:
            raise ValueError("this SpeakerBranch gives no pose; build it with pos_dim=7")
        hidden = self._hidden(au, embedding, z)
        return self.out(hidden), self.pose(hidden)

    def _hidden(self, au: torch.Tensor, embedding: torch.Tensor, z: torch.Tensor | None) -> torch.Tensor:
        """What the outputs are made of: (N, d_model + z_size) or (B, N, d_model + z_size)."""
        batch = au if au.dim() == 4 else au[None]
        sequences, windows = batch.shape[:2]
        noise = batch.new_zeros(sequences, windows, self.z_size) if z is None else z.view(sequences, windows, -1)
        sound = self.audio_content_encoder(batch.flatten(0, 1))[0][:, -1].unflatten(0, (sequences, windows))
        speaker = self.spk_emb_encoder(embedding)[:, None].expand(sequences, windows, -1)
        hidden = torch.cat([self.encoder(torch.cat([sound, speaker, noise], -1)), noise], -1)
        return hidden if au.dim() == 4 else hidden[0]


class LandmarkDiscriminator(Network):
    """Whether single faces are real (the paper's D_L): ``(N, 204) -> (N, 1)``, least squares, no final activation."""

    def __init__(self):
        super().__init__()
        self.fl_D = mlp(NUM_LANDMARKS, 512, 256, 1, slope=0.02)

    def forward(self, landmarks: torch.Tensor) -> torch.Tensor:
        """(N, 204) landmarks -> (N, 1), 1 for real and 0 for made."""
        return self.fl_D(landmarks)


class TransformerDiscriminator(Network):
    """Whether a movement is real and this speaker's (the paper's D_T).

    ``(N, 204), (N, spk_size) -> (number of windows, 1)``, least squares, no final activation.

    Args:
        spk_size: Numbers that say who speaks: what ``spk_emb_encoder`` of the speaker branch gives.
        window: Frames a window spans; a shorter movement is one window.
        step: Frames between windows, and between the frames taken of each.
        d_model: Width of the transformer.
        layers: Its layers.
        heads: Its attention heads.
        ff_size: Width of its feed-forward layers.
        dropout: In training.
    """

    def __init__(self, spk_size=128, window=64, step=1, d_model=64, layers=2, heads=2, ff_size=2048, dropout=0.0):
        super().__init__()
        self.window, self.step = window, step
        self.encoder = Encoder(NUM_LANDMARKS + spk_size, d_model, layers, heads, ff_size, dropout)
        self.out = mlp(d_model, 512, 256, 1, slope=0.02)

    def forward(self, landmarks: torch.Tensor, speaker: torch.Tensor) -> torch.Tensor:
        """Judge windows.

        Args:
            landmarks: (N, 204) that follow each other, at least 2.
            speaker: (1, spk_size) or (N, spk_size).

        Returns:
            (W, 1), 1 for real and 0 for made; W as many as ``range(0, N - window, step)``, at least 1.
        """
        joined = torch.cat([landmarks, speaker.expand(len(landmarks), -1)], 1)
        return self.out(self.encoder(_windows(joined, self.window, self.step)).amax(1))


class GruDiscriminator(Network):
    """Whether a movement fits a sound, by a GRU.

    ``(N, 204), (N, comb_size) -> (number of windows, 1)``, least squares, no final activation.

    Args:
        comb_size: Numbers per frame that the movement is compared with.
        window: Frames looked at together; a shorter movement is one window.
        hidden_size: Width of the GRU.
    """

    POOL = 4  # neighbouring frames of which each number's largest counts

    def __init__(self, comb_size=256, window=32, hidden_size=256):
        super().__init__()
        self.window = window
        self.fl_DT = nn.GRU(NUM_LANDMARKS + comb_size, hidden_size, 3, batch_first=True)
        self.projection = mlp(hidden_size, 512, 256, 1, slope=0.02)

    def forward(self, landmarks: torch.Tensor, comb: torch.Tensor) -> torch.Tensor:
        """Judge windows.

        Args:
            landmarks: (N, 204) that follow each other, at least 5.
            comb: (N, comb_size) of the same frames.

        Returns:
            (W, 1), 1 for real and 0 for made; W is N - 3 - window, at least 1.
        """
        joined = torch.cat([comb, landmarks], 1)
        pooled = nn.functional.max_pool1d(joined.T[None], self.POOL, 1)[0].T
        return self.projection(self.fl_DT(_windows(pooled, self.window, 1))[0][:, -1])


def _windows(x: torch.Tensor, window: int, step: int) -> torch.Tensor:
    """Cut a sequence (N, C) into windows (W, window / step, C); the last frame is in none, as published."""
    window = min(window, len(x) - 1)
    return x[:-1].unfold(0, window, step)[..., ::step].transpose(1, 2)


class ImageTranslation(Network):
    """Draw a face from its landmarks and a portrait: a residual U-Net.

    The sides of the picture are multiples of ``2 ** num_downs``. Nothing else
    in it depends on the size: the published network takes 512 pixels as well;
    ``num_downs=7`` gives it the view of the whole face there that it has of
    256 pixels.

    Args:
        in_channels: 6: drawing and portrait; 7: a plane of sound, too (published option).
        out_channels: Of the picture.
        num_downs: Halvings, at least 5.
        ngf: Channels of the outermost level; those within have up to 8 times as many.
        moved: The portrait it is given has been moved to the landmarks (see mesh.py), and what it draws is the
            difference from that. Ours; published networks draw the picture from the portrait as it is.
    """

    def __init__(self, in_channels=6, out_channels=3, num_downs=6, ngf=64, moved=False):
        super().__init__()
        if num_downs < 5:
            raise ValueError(f"num_downs is {num_downs}; the network has at least 5 levels")
        level = None
        for _ in range(num_downs - 4):
            level = UNetLevel(8 * ngf, 8 * ngf, level)
        for channels in (4 * ngf, 2 * ngf, ngf):
            level = UNetLevel(channels, 2 * channels, level)
        self.model = UNetLevel(out_channels, ngf, level, in_channels)
        self.moved = moved

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, 6, S, S), drawing then portrait in [0, 1] -> (B, 3, S, S), before the tanh."""
        return self.model(x)

    def picture(self, x: torch.Tensor) -> torch.Tensor:
        """(B, 6, S, S), drawing then portrait in [0, 1] -> picture (B, 3, S, S), float32; less than 0 is 0."""
        drawn = torch.tanh(self.model(x).float())
        return x[:, 3:6].float() + drawn if self.moved else drawn
