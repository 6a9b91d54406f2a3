"""`mgbench data show`, and what all of `mgbench data` has in common."""

import io
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from rich.console import Console

from mgbench.cli import data


Command = Callable[..., Result]


def test_show_draws_gated_data_only_where_asked(boxes: Path, on_boxes: Command) -> None:
    """Without --out classes are counted and no more; with it, files whose names are no clip's."""
    plain, drawn = on_boxes("show", "boxes"), on_boxes("show", "boxes", "--clip", "secret-val-1", "--out", "p")

    assert plain.exit_code == drawn.exit_code == 0
    assert "Nothing is drawn, since the recordings of 'boxes' may not be passed on; --out DIR draws a clip." in plain.output
    assert not (boxes / "pictures").exists()
    assert sorted(path.name for path in (boxes / "p").iterdir()) == ["boxes-val-1.gif", "boxes-val-1.png"]
    assert "secret" not in plain.output + drawn.output


def test_show_draws_open_data(boxes: Path, mgbench: Command) -> None:
    """What may be passed on, or was made, is drawn into ./pictures: a clip of middle length."""
    for name in ("boxes", "synthetic:clips=34"):
        assert mgbench("data", "show", name, "--plugin", "public.py").exit_code == 0

    assert {path.name.partition("-")[0] for path in (boxes / "pictures").iterdir()} == {"boxes", "synthetic"}


def test_progress_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each split has a line with what is being done."""
    screen = io.StringIO()
    monkeypatch.setattr("rich.console.Console", lambda: Console(file=screen, force_terminal=True, width=80))
    with data._progress(("train", "test")) as tell:
        tell("train", "reads")
        tell("train", "packed")

    assert "packed" in screen.getvalue()
    assert "waits" in screen.getvalue()


@pytest.mark.parametrize(
    "command", [["how", "boxes"], ["prepare", "boxes"], ["audit", "boxes"], ["show", "boxes"], ["show", "boxes", "--out", "p"]]
)
def test_looking_at_data_imports_no_torch(boxes: Path, command: list[str]) -> None:
    """Data are got, packed, checked and drawn without torch, and without matplotlib unless something is drawn."""
    arguments = ["data", *command, "--plugin", "gated.py"]
    code = f"import sys\nfrom mgbench.cli import main\ntry:\n    main({arguments})\nexcept SystemExit as end:\n    assert not end.code\n"
    code += f"sys.exit('torch' in sys.modules or ('matplotlib' in sys.modules) != {'--out' in command})"
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)

    assert done.returncode == 0, done.stdout + done.stderr
