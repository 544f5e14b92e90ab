"""The cell of EA-LSTM against the equations of its paper, day by day."""

import torch
from raciflux.modules.baselines.ea_lstm import EntityAwareLstm
from torch import Tensor


def by_equations(cell: EntityAwareLstm, drivers: Tensor, place: Tensor) -> Tensor:
    """Kratzert et al. (2019), equations 7 to 12."""
    entering = torch.sigmoid(cell.input_gate(place))
    state = memory = torch.zeros_like(entering)
    days = []
    for day in drivers.unbind(1):
        forget, candidate, out = (cell.drivers(day) + cell.state(state)).chunk(3, dim=-1)
        memory = torch.sigmoid(forget) * memory + entering * torch.tanh(candidate)
        state = torch.sigmoid(out) * torch.tanh(memory)
        days.append(state)
    return torch.stack(days, 1)


def test_it_is_the_cell_of_the_paper_and_so_are_its_gradients():
    torch.manual_seed(0)
    cell = EntityAwareLstm(drivers=6, place=4, hidden=5).double()
    drivers, place = torch.randn(3, 20, 6).double(), torch.randn(3, 4).double()
    encoded, expected = cell(drivers, place), by_equations(cell, drivers, place)
    torch.testing.assert_close(encoded, expected)
    weights = list(cell.parameters())
    slopes = [torch.autograd.grad(each.square().sum(), weights) for each in (encoded, expected)]
    for one, other in zip(*slopes, strict=True):
        torch.testing.assert_close(one, other)


def test_the_place_alone_decides_what_enters():
    """With the input gate shut nothing is ever remembered, whatever the drivers say."""
    cell = EntityAwareLstm(drivers=6, place=4, hidden=5)
    with torch.no_grad():
        cell.input_gate.bias.fill_(-1e4)
    assert not cell(torch.randn(3, 20, 6), torch.randn(3, 4)).any()
