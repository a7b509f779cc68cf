"""Where a stage's cache lies, who makes it, and that no encoder stays."""

import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from torch import nn

from pinxit.data.bucket import Bucket
from pinxit.data.cache import cache_beside, read_manifest
from pinxit.data.emoji import Art
from pinxit.data.encode import encode
from pinxit.data.records import read_records, write_records
from pinxit.data.split import Split
from pinxit.errors import ConfigError, DataError
from pinxit.models.autoencoder import SmallAutoencoder, load_autoencoder
from pinxit.models.minilm import MiniLM
from pinxit.models.text import load_text
from pinxit.recipes import material as module
from pinxit.recipes.course import Course
from pinxit.recipes.emoji import smallest
from pinxit.recipes.material import SceneRecords, cache_folder, open_material, wanted_fingerprint
from pinxit.recipes.recipe import EmojiDataConfig, Recipe, RecordsDataConfig
from tests.data.double import record


@pytest.fixture
def records(tmp_path: Path) -> Path:
    write_records([record(i) for i in range(6)], tmp_path / "own", "drawn")
    return tmp_path / "own"


def recipe_for(records: Path, teaches: str = "text") -> Recipe:
    base = smallest()
    changes = {"data": RecordsDataConfig(folder=str(records)), "images": 16, "batch": 8, "teaches": teaches}
    return base.model_copy(update={"stages": {"own": base.stages["alignment"].model_copy(update=changes)}})


def forbid(monkeypatch: pytest.MonkeyPatch, *kinds: type[nn.Module]) -> None:
    """From now on none of these networks can be built."""

    def refuse(self: nn.Module, *_: object) -> None:
        raise AssertionError(f"a {type(self).__name__} was built")

    for kind in kinds:
        monkeypatch.setattr(kind, "__init__", refuse)


def test_a_whole_run_from_a_complete_cache_builds_no_encoder(
    records: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = recipe_for(records)
    open_material(recipe, recipe.stages["own"], tmp_path / "run")
    forbid(monkeypatch, SmallAutoencoder, MiniLM)
    assert Course(recipe, tmp_path / "run").run().seen == 16


def test_no_encoder_is_left_once_all_is_encoded(records: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    alive: list[weakref.ref[Any]] = []

    def watched(load: Callable[..., Any]) -> Callable[..., Any]:
        def loaded(*arguments: object, **settings: object) -> object:
            encoder = load(*arguments, **settings)
            alive.extend((weakref.ref(encoder), weakref.ref(encoder.network)))
            return encoder

        return loaded

    monkeypatch.setattr(module, "load_autoencoder", watched(load_autoencoder))
    monkeypatch.setattr(module, "load_text", watched(load_text))
    recipe = recipe_for(records)
    open_material(recipe, recipe.stages["own"], tmp_path / "run")
    assert len(alive) == 4
    assert all(encoder() is None for encoder in alive)


def test_after_another_import_into_the_same_folder_the_new_pictures_are_trained_on(
    records: Path, tmp_path: Path
) -> None:
    recipe, run = recipe_for(records), tmp_path / "run"
    assert open_material(recipe, recipe.stages["own"], run).cache.keys == [f"key {i}" for i in range(6)]
    write_records([record(i) for i in (7, 8, 9)], records, "drawn", force=True)
    assert open_material(recipe, recipe.stages["own"], run).cache.keys == ["key 7", "key 8", "key 9"]


def test_while_a_run_goes_on_another_import_takes_nothing_from_it(records: Path, tmp_path: Path) -> None:
    recipe, run = recipe_for(records), tmp_path / "run"
    cache = open_material(recipe, recipe.stages["own"], run).cache
    write_records([record(7)], records, "drawn", force=True)
    assert module.Cache(cache_folder(recipe, recipe.stages["own"], run)).keys == cache.keys


def test_runs_and_the_encode_command_share_what_was_encoded_beside_the_records(
    records: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = recipe_for(records)
    stage = recipe.stages["own"]
    fingerprint, _ = wanted_fingerprint(recipe, stage)
    place = cache_beside(records, fingerprint)
    encode(
        read_records(records), load_autoencoder(recipe.autoencoder), load_text(recipe.text), place, fingerprint
    )  # as `pinxit data encode` does
    forbid(monkeypatch, SmallAutoencoder, MiniLM)
    for run in (tmp_path / "one", tmp_path / "two"):
        open_material(recipe, stage, run)
        assert cache_folder(recipe, stage, run).resolve() == place.resolve()
        assert [*(run / "cache").rglob("*.arrow")] == []  # nothing lies on disk twice


def test_where_nothing_can_be_written_beside_the_records_the_run_keeps_its_cache(
    records: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "own.cache").touch()  # a file: no folder can be made there, whoever asks
    recipe, run = recipe_for(records), tmp_path / "run"
    stage = recipe.stages["own"]
    keys = open_material(recipe, stage, run).cache.keys
    assert len([*(run / "cache").glob("*/latent-*.arrow")]) == 2  # one file, seen through the link too
    (tmp_path / "own.cache").unlink()
    forbid(monkeypatch, SmallAutoencoder, MiniLM)
    assert open_material(recipe, stage, run).cache.keys == keys  # it is kept, now that there is room beside them
    monkeypatch.undo()
    (tmp_path / "own.cache").touch()
    write_records([record(7)], records, "drawn", force=True)
    assert open_material(recipe, stage, run).cache.keys == ["key 7"]


def test_encoding_that_was_stopped_goes_on(records: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe, run = recipe_for(records), tmp_path / "run"
    stage = recipe.stages["own"]
    monkeypatch.setattr("pinxit.data.encode.SHARD", 4)
    with monkeypatch.context() as cut:
        cut.setattr("pinxit.data.encode.finish", lambda _: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            open_material(recipe, stage, run)
    where = cache_folder(recipe, stage, run)
    assert len(read_manifest(where)) == 2
    assert len(open_material(recipe, stage, run).cache) == 6
    assert len(read_manifest(where)) == 2


@pytest.mark.parametrize("teaches", ["class", "text"])
def test_a_class_stage_on_pictures_without_classes_says_so(
    records: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], teaches: str
) -> None:
    recipe = recipe_for(records, teaches)
    open_material(recipe, recipe.stages["own"], tmp_path / "run")
    assert ("no picture has a class" in capsys.readouterr().out) == (teaches == "class")


def test_a_class_stage_on_pictures_without_classes_trains(records: Path, tmp_path: Path) -> None:
    assert Course(recipe_for(records, "class"), tmp_path / "run").run().seen == 16


def test_a_class_stage_on_pictures_with_classes_says_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_records([record(i, label=i % 2) for i in range(4)], tmp_path / "own", "drawn")
    recipe = recipe_for(tmp_path / "own", "class")
    assert open_material(recipe, recipe.stages["own"], tmp_path / "run").classes == 2
    assert "class" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"network": {"channels": 8}}, "network.channels = 8: the autoencoder has 16; set it to 16"),
        ({"network": {"caption_width": 64}}, "network.caption_width = 64: the text encoder has 384"),
        ({"resolution": 72}, "resolution = 72: it is no multiple of 16.* say 64 or 80"),
        ({"resolution": 8}, "resolution = 8: .* say 16$"),
    ],
)
def test_what_does_not_fit_is_told_before_anything_is_encoded(
    records: Path, tmp_path: Path, changes: dict[str, object], said: str
) -> None:
    recipe = recipe_for(records)
    network = recipe.network.model_copy(update=changes.pop("network", {}))  # type: ignore[arg-type]
    stage = recipe.stages["own"].model_copy(update=changes)
    with pytest.raises(ConfigError, match=said):
        open_material(recipe.model_copy(update={"network": network}), stage, tmp_path / "run")
    assert not list(tmp_path.glob("*cache*"))


def test_a_run_does_not_go_on_with_other_pictures(records: Path, tmp_path: Path) -> None:
    recipe, run = recipe_for(records), tmp_path / "run"
    Course(recipe, run).run()
    write_records([record(i) for i in range(7)], records, "drawn", force=True)
    with pytest.raises(DataError, match="imported anew since the run began"):
        Course(recipe, run).run()


def test_what_encoding_lost_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    long = record(1, captions=(" ".join(["owl"] * 200),))
    write_records([record(0), long, record(2, (16, 200))], tmp_path / "own", "drawn")
    recipe = recipe_for(tmp_path / "own")
    open_material(recipe, recipe.stages["own"], tmp_path / "run")
    told = capsys.readouterr().out
    assert "1 of 3 pictures were rejected" in told
    assert "1 of 2 captions were cut" in told


@pytest.mark.parametrize(("wide", "few", "many"), [(0.0, 0, 0), (0.25, 30, 70), (1.0, 200, 200)])
def test_as_many_scenes_are_wide_as_was_asked(wide: float, few: int, many: int) -> None:
    art = Art(())
    records = SceneRecords(EmojiDataConfig(wide=wide), Split(art, art, art), [Bucket(64, 64), Bucket(48, 96)], 0)
    sizes = [records.size(index) for index in range(200)]
    assert few <= sizes.count((48, 96)) <= many
    assert sizes.count((64, 64)) + sizes.count((48, 96)) == 200
