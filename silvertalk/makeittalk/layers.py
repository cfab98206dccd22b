"""The building blocks of MakeItTalk's networks; attribute names fix the checkpoint keys."""

import math

import torch
from torch import nn

MAX_LENGTH = 512  # positions a transformer tells apart


def mlp(*sizes: int, slope: float, norm: bool = False) -> nn.Sequential:
    """Linear layers with leaky ReLUs between them, batch-normalised before those on demand."""
    layers = []
    for c_in, c_out in zip(sizes[:-2], sizes[1:-1], strict=True):
        layers += [nn.Linear(c_in, c_out), *([nn.BatchNorm1d(c_out)] if norm else []), nn.LeakyReLU(slope)]
    return nn.Sequential(*layers, nn.Linear(*sizes[-2:]))


class ConvNorm(nn.Module):
    """Convolution over time that keeps the length."""

    def __init__(self, c_in: int, c_out: int, kernel_size: int = 5):
        super().__init__()
        self.conv = nn.Conv1d(c_in, c_out, kernel_size, padding=kernel_size // 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, c_in, T) -> (B, c_out, T)."""
        return self.conv(x)


def conv_group_norm(c_in: int, c_out: int) -> nn.Sequential:
    """A convolution and its norm over groups of 16 channels."""
    return nn.Sequential(ConvNorm(c_in, c_out), nn.GroupNorm(max(1, c_out // 16), c_out))


class LayerNorm(nn.Module):
    """Layer norm as the transformer here has it: unbiased deviation, epsilon added to the deviation."""

    def __init__(self, size: int, eps: float = 1e-6):
        super().__init__()
        self.alpha, self.bias = nn.Parameter(torch.ones(size)), nn.Parameter(torch.zeros(size))
        self.eps = eps

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(..., size) -> (..., size)."""
        centred = x - x.mean(-1, keepdim=True)
        return self.alpha * centred / (x.std(-1, keepdim=True) + self.eps) + self.bias


class Attention(nn.Module):
    """Multi-head attention."""

    def __init__(self, d_model: int, heads: int, dropout: float):
        super().__init__()
        if d_model % heads:
            raise ValueError(f"d_model {d_model} cannot be shared by {heads} heads; choose a multiple")
        self.heads, self.dropout = heads, dropout
        self.q_linear, self.v_linear = nn.Linear(d_model, d_model), nn.Linear(d_model, d_model)
        self.k_linear, self.out = nn.Linear(d_model, d_model), nn.Linear(d_model, d_model)

    def forward(self, query: torch.Tensor, memory: torch.Tensor) -> torch.Tensor:
        """(B, T, d), (B, S, d) -> (B, T, d)."""
        q, k, v = (
            layer(x).unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for layer, x in ((self.q_linear, query), (self.k_linear, memory), (self.v_linear, memory))
        )
        mixed = nn.functional.scaled_dot_product_attention(q, k, v, dropout_p=self.dropout if self.training else 0.0)
        return self.out(mixed.transpose(1, 2).flatten(2))


class FeedForward(nn.Module):
    """Two linear layers and a ReLU."""

    def __init__(self, d_model: int, ff_size: int, dropout: float):
        super().__init__()
        self.linear_1, self.linear_2 = nn.Linear(d_model, ff_size), nn.Linear(ff_size, d_model)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(..., d) -> (..., d)."""
        return self.linear_2(self.dropout(torch.relu(self.linear_1(x))))


class EncoderLayer(nn.Module):
    """Self-attention and feed-forward, each behind a norm and around a shortcut."""

    def __init__(self, d_model: int, heads: int, ff_size: int, dropout: float):
        super().__init__()
        self.norm_1, self.norm_2 = LayerNorm(d_model), LayerNorm(d_model)
        self.attn = Attention(d_model, heads, dropout)
        self.ff = FeedForward(d_model, ff_size, dropout)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, T, d) -> (B, T, d)."""
        normed = self.norm_1(x)
        x = x + self.dropout(self.attn(normed, normed))
        return x + self.dropout(self.ff(self.norm_2(x)))


class DecoderLayer(nn.Module):
    """A decoder's layer: parameters only, which the published speaker branch has and never uses."""

    def __init__(self, d_model: int, heads: int, ff_size: int, dropout: float):
        super().__init__()
        self.norm_1, self.norm_2, self.norm_3 = LayerNorm(d_model), LayerNorm(d_model), LayerNorm(d_model)
        self.attn_1, self.attn_2 = Attention(d_model, heads, dropout), Attention(d_model, heads, dropout)
        self.ff = FeedForward(d_model, ff_size, dropout)


class Embedding(nn.Module):
    """A linear layer under the published key."""

    def __init__(self, c_in: int, d_model: int):
        super().__init__()
        self.embed = nn.Linear(c_in, d_model)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(..., c_in) -> (..., d)."""
        return self.embed(x)


class PositionalEncoding(nn.Module):
    """Scale by sqrt(d) and add a table of sines; the published table has the usual factor 2 twice."""

    def __init__(self, d_model: int, dropout: float):
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.register_buffer("pe", torch.from_numpy(_positions(d_model)).float()[None])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, T, d) -> (B, T, d); T at most 512."""
        if x.shape[1] > MAX_LENGTH:
            raise ValueError(f"a sequence of {x.shape[1]} is too long for the transformer; cut it to {MAX_LENGTH}")
        return self.dropout(x * math.sqrt(x.shape[-1]) + self.pe[:, : x.shape[1]])


def _positions(d_model: int):
    """Table (512, d): sin(pos / 10000^(2i/d)) at each even i, cos(pos / 10000^(2(i+1)/d)) at i + 1.

    By numpy: a network is built on torch's meta device, too, where its buffers would have no content.
    """
    import numpy as np

    channel = np.arange(d_model)
    angle = np.arange(MAX_LENGTH)[:, None] / 10000 ** (2 * channel / d_model)
    return np.where(channel % 2, np.cos(angle), np.sin(angle))


class Encoder(nn.Module):
    """Transformer encoder."""

    layer = EncoderLayer

    def __init__(self, c_in: int, d_model: int, layers: int, heads: int, ff_size: int, dropout: float):
        super().__init__()
        self.embed, self.pe = Embedding(c_in, d_model), PositionalEncoding(d_model, dropout)
        self.layers = nn.ModuleList(self.layer(d_model, heads, ff_size, dropout) for _ in range(layers))
        self.norm = LayerNorm(d_model)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, T, c_in) -> (B, T, d); T at most 512."""
        x = self.pe(self.embed(x))
        for layer in self.layers:
            x = layer(x)
        return self.norm(x)


class Decoder(Encoder):
    """Transformer decoder: parameters only (see ``DecoderLayer``)."""

    layer = DecoderLayer


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions around a shortcut, then a ReLU."""

    def __init__(self, channels: int):
        super().__init__()
        self.block = nn.Sequential(
            conv3x3(channels, channels), nn.BatchNorm2d(channels), nn.ReLU(),
            conv3x3(channels, channels), nn.BatchNorm2d(channels),
        )  # fmt: skip

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, C, H, W) -> (B, C, H, W)."""
        return torch.relu(x + self.block(x))


class UNetLevel(nn.Module):
    """A level of the residual U-Net and all levels within it; its input is joined to its output.

    Args:
        c_out: Channels given, without the joined input.
        c_inner: Channels inside.
        inner: The next level; None: the innermost.
        c_in: Channels taken, where they are not ``c_out``: the outermost level, which is not joined.
    """

    def __init__(self, c_out: int, c_inner: int, inner: nn.Module | None = None, c_in: int | None = None):
        super().__init__()
        outermost = c_in is not None
        self.joined = not outermost
        down_norm = [] if outermost or inner is None else [nn.BatchNorm2d(c_inner)]
        up_norm = [] if outermost else [nn.BatchNorm2d(c_out), nn.ReLU(), ResidualBlock(c_out), ResidualBlock(c_out)]
        self.model = nn.Sequential(
            conv3x3(c_in or c_out, c_inner, stride=2), *down_norm, nn.ReLU(),
            ResidualBlock(c_inner), ResidualBlock(c_inner),
            *([inner] if inner else []),
            nn.Upsample(scale_factor=2, mode="nearest"), conv3x3(c_inner * (2 if inner else 1), c_out), *up_norm,
        )  # fmt: skip

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, c, H, W) -> (B, c_out or, joined, 2 * c_out, H, W)."""
        out = self.model(x)
        return torch.cat([x, out], 1) if self.joined else out


def conv3x3(c_in: int, c_out: int, stride: int = 1) -> nn.Conv2d:
    """A padded 3x3 convolution without bias."""
    return nn.Conv2d(c_in, c_out, 3, stride, 1, bias=False)
