"""`mgbench data`: how data are got; made ready, checked, and looked at."""

import contextlib
import json
import shlex
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import rich_click as click

from mgbench.cli.components import complete_name, warn_of_failures
from mgbench.cli.options import data_root_option, json_option, plugin_option, store_option
from mgbench.cli.text import columns
from mgbench.errors import SpecError
from mgbench.words import counted


if TYPE_CHECKING:
    from mgbench.clips import Clips
    from mgbench.components import Split
    from mgbench.located import Located


_Splits = tuple["Split", ...]
#: Where pictures go unless somebody says so.
_PICTURES = Path("pictures")


@click.group("data")
def data_command() -> None:
    """Bring, check and look at data."""


_name = click.argument("name", shell_complete=complete_name("dataset"))


def locate_set(name: str, root: Path | None, store: Path | None, plugin_files: tuple[Path, ...], given: Path | None = None) -> "Located":
    """Return the data set that a command names, and name on stderr plugins that could not be loaded."""
    from mgbench.located import locate
    from mgbench.paths import data_root, store_root
    from mgbench.registry import registry

    loaded = registry(plugin_files)
    located = locate(name, loaded, data_root(root).absolute(), store_root(store).absolute(), given)
    warn_of_failures(loaded)
    return located


@data_command.command("how")
@_name
@data_root_option
@store_option
@plugin_option
def how_command(name: str, root: Path | None, store: Path | None, plugin_files: tuple[Path, ...]) -> None:
    """Tell who grants the data set NAME, which files are expected, where they are looked for, and what is there."""
    from mgbench.cli.data_text import folder_text

    located = locate_set(name, root, store, plugin_files)
    dataset, part = located.dataset, located.part
    click.echo(f"{dataset.name}: {dataset.summary()}\n")
    if not part.folders:
        click.echo("It is made, not read, and needs no files.")
        return
    click.echo(f"{dataset.how or 'Its plugin does not tell how it is got.'}\n")
    places = [located.root / folder for folder in part.folders]
    rows = [("looked for" if i == 0 else "", str(place), folder_text(place)) for i, place in enumerate(places)]
    if not any(place.is_dir() for place in places):
        rows.append(("", "", "--data-root or MGBENCH_DATA names another place"))
    else:
        ready = "ready for runs" if located.packed.is_dir() else f"not yet: mgbench data prepare {shlex.quote(name)}"
        rows.append(("packed", str(located.packed), ready))
    for line in columns(rows, indent=""):
        click.echo(line)


@data_command.command("prepare")
@_name
@click.option("--from", "given", type=click.Path(path_type=Path), metavar="DIR", help="Read this folder instead of the data root's.")
@click.option("--workers", type=click.IntRange(min=1), help="Splits at a time.  [default: as many as there are cores, for large files]")
@data_root_option
@store_option
@plugin_option
def prepare_command(
    name: str, given: Path | None, workers: int | None, root: Path | None, store: Path | None, plugin_files: tuple[Path, ...]
) -> None:
    """Parse, check and pack every split of the data set NAME, as the first run would; what is packed already is kept.

    Whatever stops it, the same command goes on with the splits that are left.
    """
    from mgbench.cli.data_text import split_table
    from mgbench.packing import open_packed, pack, packed_digest
    from mgbench.prepare import packer, processes_for

    located = locate_set(name, root, store, plugin_files, given)
    dataset, part, folder = located.here, located.part, located.folder
    if located.packed.is_dir():
        click.echo(f"{dataset.name} is packed already.")
    else:
        click.echo(f"{dataset.name}: packing {folder if part.folders else 'what is made'}")
        with _progress(dataset.splits) as tell:
            many = workers or processes_for(part, folder, len(dataset.splits))
            packs = packer(dataset, part, tuple(path.absolute() for path in plugin_files), many, tell)
            pack(dataset, part, located.root, located.cache, packs)
    packed = located.packed
    digests = ["digest", *(packed_digest(packed, split) for split in dataset.splits)]
    for line, digest in zip(split_table({split: open_packed(packed, split) for split in dataset.splits}), digests, strict=True):
        click.echo(f"{line}  {digest}")
    click.echo(f"packed in {packed}")
    if given is not None:
        _tell_place(located, root)


def _tell_place(located: "Located", root: Path | None) -> None:
    """Say how runs will find what was packed from elsewhere: their key is what the files are, not where."""
    from mgbench.paths import data_root

    wanted = [data_root(root).absolute() / name for name in located.dataset.folders]
    held = next((place for place in wanted if place.is_dir()), None)
    if held is None:
        link = f"ln -s {shlex.quote(str(located.folder))} {shlex.quote(str(wanted[0]))}"
        click.echo(f"Runs do not find these files yet; they look for {wanted[0]}, so link them: {link}")
    elif not held.samefile(located.folder):
        click.echo(f"Runs use the files in {held}, which is another folder, unless --data-root names another root.")


@contextlib.contextmanager
def _progress(splits: _Splits) -> "Iterator[Callable[[Split, str], None]]":
    """Show a bar a split on a terminal, and elsewhere a line for each split that is packed."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    console = Console()
    if not console.is_terminal:
        yield lambda split, stage: click.echo(f"{split} {stage}") if stage == "packed" else None
        return
    with Progress(
        TextColumn("{task.description:>6}"), BarColumn(), TextColumn("{task.fields[stage]:<8}"), TimeElapsedColumn(), console=console
    ) as bars:
        tasks = {split: bars.add_task(split, total=None, start=False, stage="waits") for split in splits}

        def tell(split: "Split", stage: str) -> None:
            bars.start_task(tasks[split])
            bars.update(tasks[split], stage=stage)
            if stage == "packed":
                bars.update(tasks[split], total=1, completed=1)

        yield tell


@contextlib.contextmanager
def _reading(located: "Located") -> "Iterator[Callable[[Split], Clips]]":
    """Show on a terminal which split is read and looked at."""
    from rich.console import Console

    with Console(stderr=True).status(located.dataset.name) as status:

        def read(split: "Split") -> "Clips":
            status.update(f"{located.dataset.name}: {split}")
            return located.read(split)

        yield read


@data_command.command("audit")
@_name
@click.option("--names", is_flag=True, help="Also print the clips concerned; mind who may read them.")
@json_option
@data_root_option
@store_option
@plugin_option
def audit_command(name: str, names: bool, as_json: bool, root: Path | None, store: Path | None, plugin_files: tuple[Path, ...]) -> None:
    """Check the data set NAME and tell all findings at once, without the names of clips and people.

    Errors make results wrong, such as people or clips in two splits; warnings are worth a look; notes are worth knowing. Exit status: 0
    no error, 1 errors, 2 the data are not there.
    """
    from mgbench.audit.finding import LEVELS
    from mgbench.audit.report import audit
    from mgbench.cli.data_text import anonymous, class_table, finding_lines, json_rows, split_table

    located = locate_set(name, root, store, plugin_files)
    dataset = located.here
    with _reading(located) as read:
        found = audit(dataset, read)
    findings = found.findings if names or located.open else anonymous(found.findings)
    if as_json:
        for row in json_rows(dataset, found.measured, findings, names=names):
            click.echo(json.dumps(row))
    else:
        tables = [*split_table(found.measured), "", *class_table(dataset, found.measured)] if found.measured else []
        totals = ", ".join(counted(sum(one.level == level for one in findings), level) for level in LEVELS)
        for line in (*tables, *finding_lines(findings, names=names), "", f"{dataset.name}: {totals}"):
            click.echo(line)
    sys.exit(1 if any(finding.level == "error" for finding in findings) else 0)


@data_command.command("show")
@_name
@click.option("--clip", metavar="ID", help="Draw this clip.  [default: one of middle length]")
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), metavar="DIR", help="Where pictures go.  [default: ./pictures]")
@data_root_option
@store_option
@plugin_option
def show_command(
    name: str, clip: str | None, out: Path | None, root: Path | None, store: Path | None, plugin_files: tuple[Path, ...]
) -> None:
    """Count the classes of the data set NAME, and draw one clip: poses in a row, and moving.

    Of recordings that may not be passed on nothing is drawn unless --out says where to.
    """
    from mgbench.cli.data_text import class_table
    from mgbench.picture import save_pictures

    located = locate_set(name, root, store, plugin_files)
    dataset, draws = located.here, located.open or out is not None
    why = f"the recordings of {dataset.name!r} may not be passed on"
    if clip is not None and not draws:
        msg = f"--clip needs --out DIR, since {why}; name the folder for the pictures."
        raise SpecError(msg)
    with _reading(located) as read:
        splits = {split: read(split).check(dataset.skeleton, len(dataset.classes), f"{dataset.name} {split}") for split in dataset.splits}
    split, index = _find_clip(splits, clip, dataset.name)
    for line in (*class_table(dataset, splits), ""):
        click.echo(line)
    if not draws:
        click.echo(f"Nothing is drawn, since {why}; --out DIR draws a clip.")
        return
    x, which = splits[split][index], dataset.classes[splits[split].label[index]]
    title = f"{dataset.name}: {which}, {counted(len(x), 'frame')}"
    for path in save_pictures(x, dataset.skeleton, title, out or _PICTURES, f"{located.part.slug}-{split}-{index}"):
        click.echo(f"wrote {path}")


def _find_clip(splits: "dict[Split, Clips]", name: str | None, dataset: str) -> "tuple[Split, int]":
    """Return split and number of the clip of that name, or of the first clip of middle length."""
    import numpy as np

    if name is None:
        split, clips = next(iter(splits.items()))
        return split, int(np.abs(clips.frames - np.median(clips.frames)).argmin())
    for split, clips in splits.items():
        if name in clips.clip:
            return split, clips.clip.index(name)
    msg = f"There is no clip {name!r} in {', '.join(splits)} of {dataset!r}; audit --names and the predictions of its cells name clips."
    raise SpecError(msg)
