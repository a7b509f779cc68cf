import numpy as np
import pytest

from pinxit.data.bucket import Bucket, buckets, fit, nearest


def test_the_printed_table_is_the_papers_at_1024_and_a_half_and_a_quarter_of_it_below_and_double_at_2048() -> None:
    at_1024, at_512, at_256 = (buckets(n, 16) for n in (1024, 512, 256))
    assert len(at_1024) == 40
    assert {b.key for b in at_1024} >= {0.25, 0.32, 0.57, 1.0, 1.46, 2.89, 3.62, 3.88, 4.0}
    assert [(b.height, b.width) for b in at_512] == [(b.height // 2, b.width // 2) for b in at_1024]
    assert [(b.height, b.width) for b in at_256] == [(b.height // 4, b.width // 4) for b in at_1024]
    assert [(b.height, b.width) for b in buckets(2048, 16)] == [(b.height * 2, b.width * 2) for b in at_1024]


@pytest.mark.parametrize("resolution", [256, 512, 1024, 2048])
def test_the_printed_tables_are_those_that_diffusers_draws_by_and_seven_that_were_trained_alone(
    resolution: int,
) -> None:
    from diffusers.pipelines.pixart_alpha import pipeline_pixart_alpha as alpha
    from diffusers.pipelines.pixart_alpha import pipeline_pixart_sigma as sigma

    source = sigma if resolution == 2048 else alpha
    theirs = {tuple(map(int, size)) for size in getattr(source, f"ASPECT_RATIO_{resolution}_BIN").values()}
    ours = {(b.height, b.width): b.key for b in buckets(resolution, 16)}
    assert theirs <= ours.keys()
    left_out = sorted(ours[size] for size in ours.keys() - theirs)
    assert left_out == ([] if resolution == 2048 else [0.26, 0.27, 2.89, 3.11, 3.62, 3.75, 3.88])


@pytest.mark.parametrize("resolution", [1024, 512, 256])
def test_the_printed_tables_fit_a_factor_of_8_with_patch_2(resolution: int) -> None:
    assert all(b.height % 16 == 0 and b.width % 16 == 0 for b in buckets(resolution, 16))


def test_where_a_printed_side_is_no_multiple_the_rule_makes_the_table() -> None:
    table = buckets(256, 32)
    assert all(b.height % 32 == 0 and b.width % 32 == 0 for b in table)
    assert Bucket(256, 256) in table


@pytest.mark.parametrize(("resolution", "multiple"), [(32, 16), (48, 16), (64, 16), (96, 16), (128, 16), (192, 32)])
def test_generated_buckets_keep_the_area_the_multiple_and_the_ratios(resolution: int, multiple: int) -> None:
    table = buckets(resolution, multiple)
    assert Bucket(resolution, resolution) in table
    assert len({(b.height, b.width) for b in table}) == len(table)
    for b in table:
        assert b.height % multiple == b.width % multiple == 0
        assert 0.25 <= b.height / b.width <= 4
        assert Bucket(b.width, b.height) in table
        assert abs(b.height * b.width - resolution**2) <= multiple * max(b.height, b.width) / 2


def test_without_aspect_there_is_one_square() -> None:
    assert buckets(64, 16, aspect=False) == (Bucket(64, 64),)


def test_every_picture_up_to_four_to_one_has_a_bucket_and_a_longer_one_none() -> None:
    choice = buckets(64, 16)
    for width in range(25, 401):
        assert nearest((100, width), choice) is not None
    assert nearest((100, 430), choice) is None
    assert nearest((430, 100), choice) is None


@pytest.mark.parametrize("size", [(1, 1), (64, 64), (63, 65), (200, 60), (31, 99), (3000, 2000)])
def test_a_fitted_picture_has_its_buckets_size(size: tuple[int, int]) -> None:
    fitted = fit(np.zeros((*size, 3), np.uint8), Bucket(64, 48))
    assert fitted.shape == (64, 48, 3)


def test_the_crop_is_in_the_centre() -> None:
    picture = np.zeros((64, 192, 3), np.uint8)
    picture[:, 64:128] = 255
    assert (fit(picture, Bucket(64, 64)) == 255).all()
