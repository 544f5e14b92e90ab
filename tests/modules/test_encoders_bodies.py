"""Bodies over days: none looks ahead, each looks as far back as it says."""

import pytest
import torch
from raciflux.modules.encoders.attention import CausalAttention, RecentAttention
from raciflux.modules.encoders.bodies import BODIES, SPAN
from raciflux.modules.encoders.convolutions import ResidualBlock
from torch.nn import functional

DAYS = 150
every_body = pytest.mark.parametrize("body", BODIES)


def days(width: int = 6, count: int = DAYS, size: int = 3) -> torch.Tensor:
    return torch.randn(size, count, width, generator=torch.Generator().manual_seed(0))


def made(body: str, width: int = 6, hidden: int = 6, dropout: float = 0.0) -> torch.nn.Module:
    torch.manual_seed(0)
    return BODIES[body](width, hidden, dropout).eval()


def looked_at(module: torch.nn.Module, x: torch.Tensor) -> torch.Tensor:
    """Days (day,) on which the answer of the last day depends."""
    x = x.clone().requires_grad_()
    module(x)[:, -1].square().sum().backward()
    return x.grad.abs().sum((0, 2)) > 0


@every_body
@pytest.mark.parametrize(("width", "hidden"), [(6, 6), (6, 9), (5, 4)])
@pytest.mark.parametrize("count", [1, SPAN, 2 * SPAN + 7])
def test_one_answer_a_day_of_any_width_and_length(body, width, hidden, count):
    answer = made(body, width, hidden)(days(width, count))
    assert answer.shape == (3, count, hidden)
    assert torch.isfinite(answer).all()


@every_body
@pytest.mark.parametrize("cut", [0, SPAN - 1, SPAN, DAYS - 2])
def test_no_day_looks_ahead(body, cut):
    module, x = made(body), days()
    later = (torch.arange(DAYS) > cut)[None, :, None]
    before, after = module(x), module(torch.where(later, 3 * x.flip(1), x))
    torch.testing.assert_close(after[:, : cut + 1], before[:, : cut + 1], rtol=1e-5, atol=1e-6)
    assert not torch.allclose(after[:, cut + 1 :], before[:, cut + 1 :])


@every_body
def test_an_answer_does_not_depend_on_batch_mates(body):
    module, x = made(body), days()
    torch.testing.assert_close(module(x[1:2]), module(x)[1:2], rtol=1e-5, atol=1e-6)


@every_body
def test_dropout_acts_inside_bodies_of_several_steps_and_at_half(body):
    module, x = made(body, dropout=0.5).train(), days()
    shares = {each.p for each in module.modules() if isinstance(each, torch.nn.modules.dropout._DropoutNd)}
    assert shares == (set() if body in ("lstm", "gru") else {0.25})
    assert torch.equal(module(x), module(x)) == (body in ("lstm", "gru"))


def test_tcn_sees_every_day_of_a_year_and_more():
    seen = looked_at(made("tcn", 6, 12), days(count=900))
    assert seen[-729:].all(), "a gap between dilations"
    assert not seen[:-729].any(), "sees more than it says"


def test_attention_sees_the_days_of_its_span_and_no_others():
    seen = looked_at(made("attention"), days())
    assert seen[-SPAN:].all()
    assert not seen[:-SPAN].any()


def test_recurrent_bodies_see_the_whole_window():
    for body in ("lstm", "gru"):
        assert looked_at(made(body), days()).all(), body


@pytest.mark.parametrize("count", [1, 7, 8, 9, 16, 30])
def test_recent_attention_is_one_masked_attention(count):
    attention = RecentAttention(6, 2, span=8)
    x = days(count=count)
    query, key, value = attention.project(x).unflatten(-1, (3, -1, 3)).permute(2, 0, 3, 1, 4)
    ago = torch.arange(count)[:, None] - torch.arange(count)
    seen = functional.scaled_dot_product_attention(query, key, value, attn_mask=(ago >= 0) & (ago < 8))
    torch.testing.assert_close(attention(x), attention.join(seen.transpose(1, 2).flatten(2)), rtol=1e-4, atol=1e-6)


def test_recent_attention_over_a_long_span_is_causal_attention():
    recent, causal = RecentAttention(6, 2, span=40), CausalAttention(6, 2)
    causal.load_state_dict(recent.state_dict())
    x = days(count=33)
    torch.testing.assert_close(recent(x), causal(x), rtol=1e-4, atol=1e-6)


def test_each_convolution_of_a_block_has_its_own_dilation():
    seen = looked_at(torch.nn.Sequential(_Turned(), ResidualBlock(6, 6, 2, (3, 20), 0.0), _Turned()), days()).nonzero()[
        :, 0
    ]
    assert set((DAYS - 1 - seen).tolist()) == {0, 3, 20, 23}


class _Turned(torch.nn.Module):
    def forward(self, x):
        return x.transpose(1, 2)
