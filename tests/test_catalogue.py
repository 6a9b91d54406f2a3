"""The catalogue: what is remembered between commands is what would be worked out."""

from pathlib import Path

import platformdirs
import pytest

from mgbench.catalogue import Budget, Catalogue
from mgbench.errors import SpecError
from mgbench.part import build, describe, from_json
from mgbench.registry import Registry, file_plugin, installed_plugins


ZOO = Path(__file__).parent / "zoo.py"


@pytest.fixture
def registry() -> Registry:
    """What is installed, and the tests' plugin."""
    return Registry([*installed_plugins(), file_plugin(ZOO)])


def _remembered() -> list[Path]:
    return list((platformdirs.user_cache_path("mgbench") / "parts").glob("*.json"))


def test_a_part_is_its_component(registry: Registry) -> None:
    """Every first-party and test component, described and built again, is equal; its JSON gives the part back."""
    for kind in ("dataset", "encoder", "method", "augmentation", "evaluator"):
        for entry in registry.entries(kind):
            component = entry.cls()
            part = describe(component, registry)

            assert build(part, registry) == component
            assert from_json(part.to_json()) == part


def test_remembered_parts_are_those_that_were_worked_out(registry: Registry) -> None:
    """A second catalogue reads what the first one kept, without asking a plugin, and gives the same parts and digests."""
    first = Catalogue(registry)
    words = ("mgrl[lambd=[1e-4,2e-4]]", "faulty")
    parts = first.axis("method", words)
    made = [first.method(part, "crop+shear", Budget(epochs=2)) for part in parts]
    first.save()
    second = Catalogue(Registry(registry.plugins))
    again = second.axis("method", words)

    assert again == parts
    assert [second.method(part, "crop+shear", Budget(epochs=2)).digest for part in again] == [part.digest for part in made]
    assert [part.modules for part in again] == [part.modules for part in parts]
    assert not second.registry._modules


def test_a_broken_memory_is_forgotten(registry: Registry) -> None:
    """A cache that cannot be read is worked out again."""
    catalogue = Catalogue(registry)
    catalogue.axis("encoder", ("flat",))
    catalogue.save()
    for path in _remembered():
        path.write_text("{")

    assert [part.name for part in Catalogue(registry).axis("encoder", ("flat",))] == ["flat"]


def test_mistakes_are_not_remembered(registry: Registry) -> None:
    """A wrong spec raises each time it is asked for."""
    catalogue = Catalogue(registry)
    for _ in range(2):
        with pytest.raises(SpecError, match="did you mean 'mgrl'"):
            catalogue.axis("method", ("mgrk",))


def test_pipelines_are_written_one_way(registry: Registry) -> None:
    """Two ways to write a pipeline are one, and it replaces the method's own."""
    catalogue = Catalogue(registry)
    (part,) = catalogue.axis("method", ("mgrl",))

    assert catalogue.augmentation("crop[]+ shear") == catalogue.augmentation("crop+shear") == "crop+shear"
    assert catalogue.method(part, "crop+shear", Budget()).value("augment") == "crop+shear"
    assert catalogue.method(part, "none", Budget()).value("augment") == "none"
    assert catalogue.method(part, "default", Budget()) == part
