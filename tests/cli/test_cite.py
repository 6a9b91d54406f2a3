"""`mgbench cite`: BibTeX of components, and of what a cell used."""

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from mgbench.catalogue import Catalogue
from mgbench.grid import Cell, Run, to_spec
from mgbench.manifest import lines
from mgbench.registry import registry
from mgbench.store import CellFolder, write_json


Command = Callable[..., Result]
PLUGIN = r'''
"""A method whose views nest an augmentation that holds another."""

import attrs
from mgbench import Augmentation, Backbone, Method, Objective, Skeleton, View, ViewAugmentation, hookimpl
from torch import Generator


@attrs.frozen
class Often(ViewAugmentation):
    """Some of the time another."""

    name = "often"
    citation = "@misc{often}"

    what: tuple[ViewAugmentation, ...] = ()

    def apply(self, view: View, skeleton: Skeleton, generator: Generator) -> View:
        return view


@attrs.frozen
class Inner(ViewAugmentation):
    """Nothing."""

    name = "inner"
    citation = "@misc{inner,\n}\n@misc{shared,\n}"

    def apply(self, view: View, skeleton: Skeleton, generator: Generator) -> View:
        return view


@attrs.frozen
class Outer(Method):
    """Nothing."""

    name = "outer"
    citation = "@misc{outer,\n}\n\n@misc{shared,\n}"

    views: tuple[tuple[ViewAugmentation, ...], ...] = ((), (Often((Inner(),)),))

    def build(self, backbone: Backbone, classes: int) -> Objective:
        raise NotImplementedError


@hookimpl
def mgbench_methods() -> list[type[Method]]:
    return [Outer]


@hookimpl
def mgbench_augmentations() -> list[type[Augmentation]]:
    return [Often, Inner]
'''


def laid(store: Path, method: str = "mgrl", encoder: str = "stgcn", data: str = "smg", plugins: tuple[Path, ...] = ()) -> Path:
    """Write the spec of a cell that was never run, and return its folder."""
    catalogue = Catalogue(registry(plugins))
    parts = ((kind, catalogue.axis(kind, (text,))[0]) for kind, text in (("dataset", data), ("encoder", encoder), ("method", method)))
    cell = Cell(
        **dict(parts), evaluators=catalogue.axis("evaluator", ("linear", "knn")), augmentation="default", stream="joint", seed=0, run=Run()
    )
    folder = CellFolder(store / "cells" / cell.name)
    write_json(folder.spec, to_spec(cell))
    return folder.path


def keys(text: str) -> list[str]:
    """Return the keys of BibTeX entries, in order."""
    return re.findall(r"(?m)^@\w+\{([^,}]+)", text)


def test_components_of_any_kind_are_cited(mgbench: Command) -> None:
    """Entries stand in the order of the names, a blank line between them."""
    done = mgbench("cite", "pstl", "smg", "mgbench/stgcn")

    assert done.exit_code == 0
    assert keys(done.stdout) == ["zhou2023pstl", "chen2023smg", "yan2018stgcn"]
    assert done.stdout.count("\n\n") == 2
    assert done.stderr == ""


def test_a_work_is_cited_once(mgbench: Command) -> None:
    """Two components of one paper, however they word its entry, and a component named twice, give one entry."""
    assert keys(mgbench("cite", "stgcn", "kinetics_skeleton", "stgcn").stdout) == ["yan2018stgcn"]


def test_a_work_is_worded_alike_everywhere() -> None:
    """Components of one paper give one text for its key, so that it does not matter which of them is cited first."""
    entries = [entry.strip() for line in lines(registry()) for entry in re.split(r"(?m)^(?=@\w)", line.citation) if entry.strip()]

    assert len({entry.partition(",")[0] for entry in entries}) == len(set(entries))


def test_augmentations_cite_the_work_that_they_come_from(mgbench: Command) -> None:
    """Those of AS-CAL, CrosSCLR, AimCLR, PSTL and MGRL name it, once beside the components of the same paper."""
    done = mgbench("cite", "csm", "matm", "pstl", "crop", "rotate", "flip", "shear", "lstm", "merge", "mgrl")

    assert keys(done.stdout) == ["zhou2023pstl", "li2021crossclr", "guo2022aimclr", "rao2021ascal", "shah2024mgrl"]
    assert done.stderr == ""


def test_an_encoder_of_two_works_cites_both(mgbench: Command) -> None:
    """The bidirectional GRU is that of P&C and, by its fields, that of MS2L."""
    assert keys(mgbench("cite", "bigru").stdout) == ["su2020predict", "lin2020ms2l"]


def test_components_without_a_citation_are_said_in_one_sentence(mgbench: Command) -> None:
    """What has nothing to cite is named on stderr, so that what is piped to a file is BibTeX alone."""
    done = mgbench("cite", "synthetic", "pstl", "majority", "synthetic")

    assert keys(done.stdout) == ["zhou2023pstl"]
    assert done.stderr == "No work to cite is given by dataset synthetic, evaluator majority.\n"
    assert mgbench("cite", "majority").stdout == ""


def test_an_unknown_name_is_refused_with_the_nearest(mgbench: Command) -> None:
    """A misspelt component is an error that names the nearest, and nothing is printed."""
    done = mgbench("cite", "pstl", "stgnc")

    assert done.exit_code == 2
    assert done.stdout == ""
    assert done.stderr == "Error: There is no component 'stgnc', and no cell's folder; did you mean 'stgcn'?\n"


def test_everything_that_a_cell_used_is_cited(mgbench: Command, tmp_path: Path) -> None:
    """By folder or by name in a store: data set, encoder, method, its augmentations and evaluators; what was swept away is not."""
    folder = laid(tmp_path, "mgrl[prepare=merge+mixup]")
    done = mgbench("cite", folder)

    assert done.exit_code == 0
    assert keys(done.stdout)[:3] == ["chen2023smg", "yan2018stgcn", "shah2024mgrl"]
    assert "zhang2018mixup" in keys(done.stdout)
    assert len(keys(done.stdout)) == len(set(keys(done.stdout)))
    for word in (folder.name, "smg-stgcn"):
        assert mgbench("cite", word, "--store", tmp_path).stdout == done.stdout
    assert "zhang2018mixup" not in keys(mgbench("cite", laid(tmp_path / "other")).stdout)


def test_a_cell_and_components_mix(mgbench: Command, tmp_path: Path) -> None:
    """A component's name goes before a cell's, and both may be given."""
    laid(tmp_path, "pstl", data="synthetic")

    assert keys(mgbench("cite", "mgrl", "synthetic-stgcn", "--store", tmp_path).stdout)[:2] == ["shah2024mgrl", "yan2018stgcn"]


def test_an_unknown_cell_is_refused_with_the_nearest(mgbench: Command, tmp_path: Path) -> None:
    """With a store, a word that names neither component nor cell is told what the store has."""
    laid(tmp_path)
    done = mgbench("cite", "nothing", "--store", tmp_path)

    assert done.exit_code == 2
    assert "'nothing'" in done.stderr


@pytest.mark.parametrize("given", [True, False])
def test_augmentations_within_augmentations_are_cited(mgbench: Command, tmp_path: Path, given: bool) -> None:
    """What a plugin's method holds is followed all the way down; without the plugin's file its absence is said and the rest is cited."""
    file = tmp_path / "nested.py"
    file.write_text(PLUGIN)
    folder = laid(tmp_path, "outer", plugins=(file,))
    done = mgbench("cite", folder, *(["--plugin", file] if given else []))

    assert done.exit_code == 0
    assert keys(done.stdout) == ["chen2023smg", "yan2018stgcn", *(["outer", "shared", "often", "inner"] if given else [])]
    warning = "Warning: the method 'outer' came from 'nested', which is not installed; --plugin takes its file.\n"
    assert done.stderr.startswith(warning) is not given


def test_citing_a_cell_imports_no_torch(mgbench: Command, tmp_path: Path) -> None:
    """With a warm manifest a cell's works are read without torch and without a plugin."""
    folder = laid(tmp_path)
    mgbench("cite", folder)
    code = f"from mgbench.cli import main; main(['cite', {str(folder)!r}], standalone_mode=False)"
    check = "import sys; sys.exit(any(name in sys.modules for name in ('torch', 'mgbench_plugins')))"

    assert subprocess.run([sys.executable, "-c", f"{code}\n{check}"], check=False, capture_output=True).returncode == 0
