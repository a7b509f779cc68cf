"""Muon: the orthogonalised matrix against the singular value decomposition, and one step by hand."""

import pytest
import torch
from torch import nn
from torch.testing import assert_close
from torch.utils.flop_counter import FlopCounterMode

from pinxit.train.muon import Muon, count, orthogonalise


@pytest.mark.parametrize("shape", [(24, 24), (16, 48), (48, 16)])
def test_singular_values_go_near_one_and_directions_stay(shape: tuple[int, int]) -> None:
    torch.manual_seed(0)
    matrix = torch.randn(shape, dtype=torch.float64)
    left, _, right = torch.linalg.svd(matrix, full_matrices=False)
    made = left.T @ orthogonalise(matrix) @ right.T
    values = made.diagonal()
    assert values.min() > 0.6
    assert values.max() < 1.25
    assert_close(made, torch.diag(values), rtol=0, atol=1e-9)


def test_one_iteration_is_the_published_quintic() -> None:
    torch.manual_seed(0)
    matrix = torch.randn(5, 7, dtype=torch.float64)
    left, values, right = torch.linalg.svd(matrix / matrix.norm(), full_matrices=False)
    a, b, c = 3.4445, -4.7750, 2.0315
    wanted = left @ torch.diag(a * values + b * values**3 + c * values**5) @ right
    assert_close(orthogonalise(matrix, steps=1), wanted, rtol=0, atol=1e-12)


def test_an_oblong_matrix_moves_as_a_square_one_with_columns_of_zeros() -> None:
    """The way by the Gram matrix against the plain one, in float32 and for a matrix of nearly low rank."""
    torch.manual_seed(0)
    for rank in (3, 48):
        square = torch.zeros(48, 48)
        square[:, :24] = torch.randn(48, rank) @ torch.randn(rank, 24) + 1e-4 * torch.randn(48, 24)
        assert_close(orthogonalise(square[:, :24]), orthogonalise(square)[:, :24], rtol=0, atol=1e-4)


def test_a_matrix_of_zeros_stays() -> None:
    assert torch.equal(orthogonalise(torch.zeros(3, 4)), torch.zeros(3, 4))


def test_a_convolution_moves_as_its_matrix() -> None:
    torch.manual_seed(0)
    kernel, gradient = torch.randn(8, 2, 3, 3), torch.randn(8, 2, 3, 3)
    moved, flat = nn.Parameter(kernel.clone()), nn.Parameter(kernel.flatten(1).clone())
    moved.grad, flat.grad = gradient.clone(), gradient.flatten(1).clone()
    for parameter in (moved, flat):
        Muon([parameter], lr=0.1, weight_decay=0.5).step()
    assert_close(moved.flatten(1), flat)
    ahead = gradient.flatten(1) * (1 - 0.95**2)  # Nesterov: the gradient and 0.95 of a momentum of 0.05 of it
    assert_close(flat.detach(), kernel.flatten(1) * 0.95 - 0.1 * orthogonalise(ahead))


@pytest.mark.parametrize("shape", [(64, 64), (64, 80), (32, 96), (96, 32)])
def test_operations_are_those_that_torch_counts(shape: tuple[int, int]) -> None:
    counter = FlopCounterMode(display=False)
    with counter:
        orthogonalise(torch.randn(shape))
    assert count(*shape) == counter.get_total_flops()
