"""`mgbench figure`: merged clips, distances between classes and confusion matrices, as a paper prints them."""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import rich_click as click

from mgbench.cli.components import complete_name, warn_of_failures
from mgbench.cli.data import locate_set
from mgbench.cli.options import data_root_option, plugin_option, store_option
from mgbench.cli.text import columns
from mgbench.errors import DataError, MissingDataError, SpecError
from mgbench.words import counted


if TYPE_CHECKING:
    from mgbench.clips import Clips
    from mgbench.components import SetAugmentation
    from mgbench.located import Located
    from mgbench.prior import Distance, Groups, Prior
    from mgbench.registry import Registry


_Command = Callable[..., Any]
_DISTANCES = ("mean", "samples", "dtw", "confusion")


@click.group("figure")
def figure_command() -> None:
    """Draw merged clips, distances between classes, and confusion matrices, each into one file, PNG or SVG.

    Class names are drawn and printed, those of clips and people are not.
    """


@attrs.frozen
class _Source:
    """The data set that a command names, and which of its clips."""

    name: str
    split: str
    root: Path | None
    store: Path | None
    plugin_files: tuple[Path, ...]

    def open(self) -> "tuple[Located, Clips]":
        """Return the set and the clips; what is wrong with these is told without the words of a loader, which may name clips and people."""
        located = locate_set(self.name, self.root, self.store, self.plugin_files)
        try:
            return located, located.read_fit(select=self.split == "train")
        except MissingDataError:
            raise
        except DataError as error:
            dataset = located.dataset
            msg = f"The clips of {dataset.name!r} cannot be used as they are; mgbench data audit {dataset} tells what is wrong with them."
            raise DataError(msg) from error


def _source_options(command: _Command) -> _Command:
    """Add the options of a `_Source`, which the command takes as its first argument."""

    @functools.wraps(command)
    def called(name: str, split: str, root: Path | None, store: Path | None, plugin_files: tuple[Path, ...], **own: Any) -> None:  # noqa: ANN401 - the command's own
        command(_Source(name, split, root, store, plugin_files), **own)

    about = "Clips that cells are fitted on (fit), or the training split alone (train), as under run --select."
    split_option = click.option("--split", type=click.Choice(["fit", "train"]), default="fit", show_default=True, help=about)
    name_option = click.option("-d", "--dataset", "name", required=True, shell_complete=complete_name("dataset"), help="The data set.")
    return name_option(split_option(data_root_option(store_option(plugin_option(called)))))


def _out_option(command: _Command) -> _Command:
    path = click.Path(path_type=Path, dir_okay=False)
    return click.option("--out", required=True, type=path, metavar="FILE", help="Where to, a name that ends in .png or .svg.")(command)


@figure_command.command("merge")
@_source_options
@click.option("-a", "--augmentation", "text", default="merge", show_default=True, help="The set augmentation.")
@click.option("--number", type=click.IntRange(min=0), default=0, show_default=True, help="Which of the new clips.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of the cell whose clip is drawn.")
@_out_option
def merge_command(source: _Source, text: str, number: int, seed: int, out: Path) -> None:
    """Draw a new clip that a set augmentation makes, below the two clips of which it is made: the one that a run with this seed makes.

    A row a clip, all at one scale: both donors, the new clip merged as it lies, and as the augmentation merges it.
    """
    from mgbench.figures.canvas import check_path, save
    from mgbench.figures.merged import merge_figure, merge_rows
    from mgbench.registry import registry
    from mgbench.train import derive_seed

    check_path(out)
    augmentation = _set_augmentation(text, registry(source.plugin_files))
    located, clips = source.open()
    here = located.here
    rows = merge_rows(clips, augmentation, here.skeleton, here.classes, derive_seed(seed, "prepare"), number)
    title = f"{located.dataset}, {augmentation}: new clip {number} under seed {seed}"
    save(merge_figure(rows, here.skeleton, title), out)
    for line in (*(row.title for row in rows), f"wrote {out}"):
        click.echo(line)


def _set_augmentation(text: str, loaded: "Registry") -> "SetAugmentation":
    from mgbench.components import SetAugmentation

    augmentation = loaded.parse("augmentation", text)
    if not isinstance(augmentation, SetAugmentation):
        sets = sorted(entry.cls.name for entry in loaded.entries("augmentation") if issubclass(entry.cls, SetAugmentation))
        msg = f"-a got {text!r}, which changes clips while they are trained on and makes no new ones; choose from {', '.join(sets)}."
        raise SpecError(msg)
    return augmentation


@figure_command.command("distances")
@_source_options
@click.option("--distance", type=click.Choice(_DISTANCES), default="mean", show_default=True, help="Between what, as merge has it.")
@click.option("--prior", "kind", type=click.Choice(["classes", "clusters"]), default="classes", show_default=True, help="What is compared.")
@click.option("--clusters", type=click.IntRange(min=2), default=16, show_default=True, help="How many, where these are compared.")
@click.option("--quantile", type=click.FloatRange(0, 1), default=0.05, show_default=True, help="Share of all pairs that count as hard.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Draws clusters, and the clips that are warped.")
@_out_option
def distances_command(source: _Source, distance: "Distance", kind: "Groups", clusters: int, quantile: float, seed: int, out: Path) -> None:
    """Draw how far the classes of a data set are apart, frame the pairs that are hard to tell apart, and list these, the nearest first.

    Set augmentations such as merge take their donors from such pairs. With --quantile 1 all pairs are listed.
    """
    import numpy as np

    from mgbench.figures.canvas import check_path, save
    from mgbench.figures.distances import distance_figure, distance_matrix
    from mgbench.prior import find_prior
    from mgbench.train import derive_seed

    check_path(out)
    located, clips = source.open()
    here = located.here
    rng = np.random.default_rng(derive_seed(seed, "prepare"))  # as an augmentation of a cell has it
    prior = find_prior(clips, here.skeleton, here.classes, kind, distance, clusters, rng)
    hard = prior.hard(quantile)
    title = f"{located.dataset}: {counted(len(clips), 'clip')}, {len(hard)} of {counted(len(prior.pairs), 'pair')} framed"
    save(distance_figure(distance_matrix(prior, hard, distance, title), prior), out)
    for line in (*_pairs(prior, hard), f"{len(hard)} of {counted(len(prior.pairs), 'pair')}", f"wrote {out}"):
        click.echo(line)


def _pairs(prior: "Prior", hard: list[tuple[int, int]]) -> list[str]:
    """Return a line a pair: its distance, and both groups with their clips."""
    rows = [("distance", "", "clips", "", "clips")]
    for a, b in hard:
        each = [word for i in (a, b) for word in (prior.groups[i], f"{prior.counts[i]:,}")]
        rows.append((f"{prior.distance[a, b]:.4g}", each[0], each[1], each[2], each[3]))
    return columns(rows, indent="", right=(0, 2, 4))


@figure_command.command("confusion")
@click.argument("cells", nargs=-1, required=True, metavar="CELL...")
@click.option("--evaluator", default="linear", show_default=True, help="Whose predictions.")
@_out_option
@store_option
@plugin_option
def confusion_command(cells: tuple[str, ...], evaluator: str, out: Path, store: Path | None, plugin_files: tuple[Path, ...]) -> None:
    """Draw the confusion matrices of finished cells side by side, and of several the second less the first.

    A CELL is named as in mgbench diff: by its folder, its name, or a part of its name that no other cell has.
    """
    from mgbench.figures.canvas import check_path, save
    from mgbench.figures.confusion import class_names, confusion_figure, count_confusions, matrices, padded
    from mgbench.named import find_cell
    from mgbench.paths import store_root
    from mgbench.registry import registry
    from mgbench.standing import read_standing

    check_path(out)
    place, loaded = store_root(store), registry(plugin_files)
    found = count_confusions([read_standing(find_cell(word, place)) for word in cells], evaluator)
    names = class_names(found[0].cell, loaded, len(found[0].counts))
    warn_of_failures(loaded)
    save(confusion_figure(matrices(padded(found, len(names)), evaluator), names), out)
    click.echo(f"wrote {out}")
