"""`mgbench data audit`: findings without names, unless they are asked for."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from boxes import break_split
from click.testing import Result

from mgbench.cli.data_text import anonymous


Command = Callable[..., Result]


def test_audit_of_sound_data(on_boxes: Command) -> None:
    """Tables of splits and classes, findings, and exit status 0 where none is an error."""
    done = on_boxes("audit", "boxes")

    assert done.exit_code == 0
    assert "0  wave       4    4     4" in done.output
    assert done.output.splitlines()[-1].startswith("boxes: 0 errors, ")


def test_audit_names_nobody_unasked(boxes: Path, on_boxes: Command) -> None:
    """Errors give exit status 1; clips are printed with --names only, people never."""
    x = np.load(boxes / "boxes" / "test.npy")
    x[3] = np.load(boxes / "boxes" / "train.npy")[2]
    np.save(boxes / "boxes" / "test.npy", x)
    plain, named = on_boxes("audit", "boxes"), on_boxes("audit", "boxes", "--names")

    assert (plain.exit_code, named.exit_code) == (1, 1)
    assert "Clips of test that are equal, value for value, to one of train: 1, 1 of them with another class." in plain.output
    assert "secret" not in plain.output
    assert "      train/secret-train-2\n      test/secret-test-3\n" in named.output
    assert not [word for word in ("7100", "7200", "7300", "7301") if word in plain.output + named.output]


def test_audit_of_a_split_that_cannot_be_read(boxes: Path, on_boxes: Command, mgbench: Command) -> None:
    """The other splits are looked at; what the loader says of files is told where they may be named."""
    break_split(boxes, "val")
    told = [on_boxes("audit", "boxes"), on_boxes("audit", "boxes", "--names"), mgbench("data", "audit", "boxes", "--plugin", "public.py")]

    assert [done.exit_code for done in told] == [1, 1, 1]
    assert "val  unreadable  '...', line 3 is wrong. What is left out, --names tells.\n" in told[0].output
    assert "secret" not in told[0].output
    assert all(f"'{boxes}/boxes/secret.npy', line 3 is wrong." in done.output for done in told[1:])
    assert all("train+test" in done.output for done in told)


def test_audit_as_json(boxes: Path, on_boxes: Command) -> None:
    """A row a split and a row a finding; names only where they are asked for."""
    break_split(boxes, "val")
    done = on_boxes("audit", "boxes", "--json")
    rows = [json.loads(line) for line in done.output.splitlines()]
    named = [json.loads(line) for line in on_boxes("audit", "boxes", "--json", "--names").output.splitlines()]

    assert done.exit_code == 1
    assert rows[0] == {
        "dataset": "boxes", "split": "train", "clips": 8, "subjects": 2, "frames": [12, 12, 12], "total_frames": 96,
        "classes": {"wave": 4, "nod": 4},
    }  # fmt: skip
    assert [row["split"] for row in rows if "split" in row] == ["train", "test"]
    assert (rows[2]["level"], rows[2]["rule"], rows[2]["splits"]) == ("error", "unreadable", ["val"])
    assert not any("clips" in row for row in rows[2:])
    assert all("clips" in row for row in named[2:])


def test_audit_of_nothing_that_can_be_read(boxes: Path, on_boxes: Command) -> None:
    """Where no split can be read, each is told, and nothing else happens."""
    for split in ("train", "val", "test"):
        break_split(boxes, split)
    done = on_boxes("audit", "boxes")

    assert done.exit_code == 1
    assert done.output.count("unreadable") == 3


def test_sentences_without_names() -> None:
    """Only what a loader says is made anonymous: class names stay."""
    from mgbench.audit.finding import Finding

    given = [Finding("error", "unreadable", (), "'a' and \"b's\" are bad."), Finding("note", "class", (), "'wave' is absent.")]

    assert [one.text for one in anonymous(given)] == ["'...' and '...' are bad. What is left out, --names tells.", "'wave' is absent."]


@pytest.mark.data
@pytest.mark.parametrize(("name", "root"), [("wmft", "."), ("smg", "format_fixtures")])
def test_recordings_audit_without_errors(name: str, root: str, data_folder: Path, tmp_path: Path, mgbench: Command) -> None:
    """The real recordings that are at hand have no error; what warnings they have is told."""
    done = mgbench("data", "audit", name, "--data-root", data_folder / root, "--store", tmp_path)

    assert done.exit_code == 0, done.output
    assert f"{name}: 0 errors" in done.output
    assert "jump" in done.output
