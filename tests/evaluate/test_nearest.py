"""Ranks and nearest pictures against the plain sorting that they stand for."""

import weakref
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from pinxit.errors import DataError
from pinxit.evaluate.feature import thumbnails
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


def test_the_nearest_of_all_is_found_in_one_pass() -> None:
    rng = np.random.default_rng(0)
    training = list(rng.integers(0, 256, (50, 20, 20, 3), np.uint8))
    learned = training[31].copy()
    learned[3, 4] += 9
    drawn = [training[7], learned, *rng.integers(0, 256, (6, 20, 20, 3), np.uint8)]
    found = find_nearest(drawn, iter(training))  # an iterator: a second pass would find nothing
    assert found[0] is training[7]
    assert found[1] is training[31]
    known = thumbnails(np.stack(training)).numpy().astype(float)
    for picture, best in zip(thumbnails(np.stack(drawn)).numpy(), found, strict=True):
        assert best is training[int(((known - picture) ** 2).sum(1).argmin())]


def test_no_training_picture_is_kept_once_a_nearer_one_was_seen() -> None:
    alive: list[weakref.ref[np.ndarray]] = []
    most = 0

    def known() -> Iterator[np.ndarray]:
        nonlocal most
        for value in (*range(200, 100, -1), *range(201, 255)):
            picture = np.full((16, 16, 3), value, np.uint8)
            alive.append(weakref.ref(picture))
            most = max(most, sum(one() is not None for one in alive))
            yield picture

    (found,) = find_nearest([np.zeros((16, 16, 3), np.uint8)], known())
    assert found[0, 0, 0] == 101
    assert most <= 3


def test_of_equally_near_pictures_the_first_is_found() -> None:
    same = [np.zeros((16, 16, 3), np.uint8) for _ in range(2)]
    assert find_nearest([same[0]], same)[0] is same[0]
