"""The pyramid of Pyraformer, and its attention against one dense attention under the same mask."""

import pytest
import torch
from raciflux.modules.baselines.pyraformer import LocalAttention, Pyramid
from torch.nn import functional

SHAPES = [(450, (5, 6), 5), (6, (5, 6), 5), (97, (7, 4), 3), (10, (2, 2), 1), (33, (4, 3), 101)]


def test_a_node_attends_to_its_neighbours_its_children_and_its_parent():
    """Seven days in threes make three weeks, the last of one day; these in twos make two months."""
    pyramid = Pyramid(7, (3, 2), 3)
    week, month = 7, 10
    assert torch.nonzero(pyramid.attends[3])[:, 0].tolist() == [2, 3, 4, week + 1]
    assert torch.nonzero(pyramid.attends[week + 1])[:, 0].tolist() == [3, 4, 5, week, week + 1, week + 2, month]
    assert torch.nonzero(pyramid.attends[month + 1])[:, 0].tolist() == [week + 2, month, month + 1]
    assert pyramid.ancestors.tolist()[5:] == [[5, week + 1, month], [6, week + 2, month + 1]]


@pytest.mark.parametrize(("days", "strides", "window"), SHAPES)
def test_attention_by_trees_is_masked_attention(days, strides, window):
    pyramid = Pyramid(days, strides, window)
    torch.manual_seed(0)
    query, key, value = (torch.randn(2, len(pyramid.root), 4, 3) for _ in range(3))
    heads_first = (part.transpose(1, 2) for part in (query, key, value))
    dense = functional.scaled_dot_product_attention(*heads_first, attn_mask=pyramid.attends).transpose(1, 2)
    torch.testing.assert_close(LocalAttention(pyramid)(query, key, value), dense)
