"""Dilated causal convolutions over days, in residual blocks (Bai et al. 2018, arXiv 1803.01271)."""

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.parametrizations import weight_norm


class CausalConvolution(nn.Module):
    """A weight-normalised convolution over days that sees ``kernel`` days, ``dilation`` apart, none after its own.

    Rectified; dropout takes whole channels, as neighbouring days tell each other's values.
    """

    def __init__(self, features: int, channels: int, kernel: int, dilation: int, dropout: float) -> None:
        super().__init__()
        self.before = (kernel - 1) * dilation
        self.convolve = weight_norm(nn.Conv1d(features, channels, kernel, dilation=dilation))
        self.drop = nn.Dropout1d(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, feature, day) to (batch, channel, day); days before the window are zeros."""
        dropped: Tensor = self.drop(torch.relu(self.convolve(functional.pad(x, (self.before, 0)))))
        return dropped


class ResidualBlock(nn.Module):
    """Two causal convolutions beside the identity, or beside a linear map where widths differ.

    Parameters
    ----------
    features, channels : widths of what comes in and goes out.
    kernel : days that each convolution sees.
    dilations : days between them, of the first and of the second convolution.
    dropout : dropout of whole channels after each convolution.
    """

    def __init__(self, features: int, channels: int, kernel: int, dilations: tuple[int, int], dropout: float) -> None:
        super().__init__()
        first, second = dilations
        self.convolutions = nn.Sequential(
            CausalConvolution(features, channels, kernel, first, dropout),
            CausalConvolution(channels, channels, kernel, second, dropout),
        )
        self.skip = nn.Identity() if features == channels else nn.Conv1d(features, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, feature, day) to (batch, channel, day)."""
        return torch.relu(self.convolutions(x) + self.skip(x))
