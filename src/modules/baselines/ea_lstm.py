"""EA-LSTM: statics set the input gate, so the place decides what enters its memory (10.5194/hess-23-5089-2019)."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from ...config.models import EaLstmConfig
from ...config.schema import HeadConfig
from ...contracts import Batch, Layout
from ..encoders.place import PlaceEncoder
from ..heads import FluxHead


class EntityAwareLstm(nn.Module):
    """The cell of Kratzert et al. (2019), equations 7 to 12, over a whole sequence.

    The input gate depends on the place alone, ``i = sigmoid(W s + b)``; forget and output gate and the candidate
    depend on drivers and the last state as in any LSTM. That is an LSTM whose input gate has no weights to the drivers
    and the state and whose other gates have none to the place, so its matrices are put together from those blocks and
    handed to torch's own LSTM: a loop over days in Python would take several times as long.

    Parameters
    ----------
    drivers : width of a day's input.
    place : width of the place's embedding.
    hidden : width of the state.
    """

    def __init__(self, drivers: int, place: int, hidden: int) -> None:
        super().__init__()
        self.hidden = hidden
        self.input_gate = nn.Linear(place, hidden)
        self.drivers = nn.Linear(drivers, 3 * hidden)  # forget gate, candidate, output gate
        self.state = nn.Linear(hidden, 3 * hidden, bias=False)
        for parameter in self.parameters():  # as torch starts its own LSTM
            nn.init.uniform_(parameter, -(hidden**-0.5), hidden**-0.5)

    def forward(self, drivers: Tensor, place: Tensor) -> Tensor:
        """Encode the days (batch, day, hidden) of drivers (batch, day, width) at a place (batch, width)."""
        days = drivers.shape[1]
        inputs = torch.cat([place[:, None].expand(-1, days, -1), drivers], dim=-1)
        of_place = functional.pad(self.input_gate.weight, (0, drivers.shape[-1]))
        of_inputs = torch.cat([of_place, functional.pad(self.drivers.weight, (place.shape[-1], 0))])
        of_state = functional.pad(self.state.weight, (0, 0, self.hidden, 0))
        bias = torch.cat([self.input_gate.bias, self.drivers.bias])
        start = inputs.new_zeros(1, len(inputs), self.hidden)
        encoded: Tensor = torch.lstm(
            inputs,
            [start, start],
            [of_inputs, of_state, bias, torch.zeros_like(bias)],
            has_biases=True,
            num_layers=1,
            dropout=0.0,
            train=self.training,
            bidirectional=False,
            batch_first=True,
        )[0]
        return encoded


class EaLstm(nn.Module):
    """Entity-aware LSTM over the days of the window, its input gate set once by the embedded place."""

    causal = True

    def __init__(self, config: EaLstmConfig, layout: Layout, head: HeadConfig) -> None:
        super().__init__()
        self.slow_encoder = PlaceEncoder(layout, config.embedding, config.dropout)
        self.fast_encoder = EntityAwareLstm(2 * len(layout.fast), config.embedding, config.hidden)
        self.head = FluxHead(config.hidden, layout, head, config.dropout)

    def forward(self, batch: Batch) -> Tensor:
        """Return the read-out (batch, day, target, parameter), scaled."""
        drivers = torch.cat([batch["fast"], batch["fast_mask"]], dim=-1)
        read: Tensor = self.head(self.fast_encoder(drivers, self.slow_encoder(batch)))
        return read
