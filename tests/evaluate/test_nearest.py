"""Ranks and nearest pictures against the plain sorting that they stand for."""

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from pinxit.errors import DataError
from pinxit.evaluate.nearest import cosine, euclidean, find_nearest, rank, rank_concepts

CONCEPTS = ("owl", "fox", "owl", "elk", "fox", "bee")


def test_a_concepts_rank_is_its_place_in_the_sorted_list_of_nearest_candidates() -> None:
    rng = np.random.default_rng(0)
    distances = rng.random((40, len(CONCEPTS)))
    for row, drawn in zip(rank_concepts(torch.tensor(distances), CONCEPTS), distances, strict=True):
        nearest = {name: min(d for d, c in zip(drawn, CONCEPTS, strict=True) if c == name) for name in CONCEPTS}
        ordered = sorted(nearest, key=lambda name: nearest[name])
        assert [row.rank(name) for name in ordered] == [1, 2, 3, 4]
        assert row.nearest == ordered[0]


def test_one_drawing_of_two_concepts_is_right_for_both() -> None:
    distances = torch.tensor([[0.2, 0.2, 0.9]])
    names = ("woman running", "person running", "elk")
    assert [rank(distances, names, (name,)) for name in names] == [[1], [1], [3]]


def test_a_concept_that_no_candidate_shows_is_refused() -> None:
    with pytest.raises(DataError, match="yak: it is not among the candidates"):
        rank(torch.zeros(1, 6), CONCEPTS, ("yak",))


def test_distances_are_those_of_their_definition() -> None:
    torch.manual_seed(0)
    a, b = torch.rand(3, 5), torch.rand(30, 5)
    assert_close(euclidean(a, b), (a[:, None] - b).square().sum(2).sqrt())
    assert_close(cosine(a, b), 1 - torch.nn.functional.cosine_similarity(a[:, None], b, dim=2))


def test_a_memorised_picture_is_at_distance_zero_of_its_training_picture() -> None:
    torch.manual_seed(0)
    training = torch.rand(50, 768)
    places, distances = find_nearest(training[[7, 31]] + torch.tensor([[0.0], [0.01]]), training, euclidean)
    assert places.tolist() == [7, 31]
    assert distances[0] == 0
    assert distances[1] == pytest.approx(0.01 * 768**0.5, rel=1e-3)
