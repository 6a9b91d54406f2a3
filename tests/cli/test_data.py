"""`mgbench data`: how, prepare, audit and show."""

import io
import json
import os
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result
from rich.console import Console

from mgbench.cli import data
from mgbench.cli.data_text import anonymous
from mgbench.fingerprint import data_key


Command = Callable[..., Result]
#: A data set of files, one a split; its loader counts its calls, and dies where a file beside the data tells it to.
PLUGIN = '''
import os, signal
import numpy as np
from pathlib import Path
import attrs
from mgbench import Clips, DataError, Dataset, Skeleton, hookimpl, load_skeleton, make_clips

@attrs.frozen
class Boxes(Dataset):
    """Clips from three files."""

    name = "boxes"
    folders = ("boxes", "other")
    how = "Boxes are granted to nobody. Expected:\\n  boxes/train.npy"
    public = PUBLIC

    @property
    def skeleton(self) -> Skeleton:
        return load_skeleton("kinect25")

    @property
    def classes(self) -> tuple[str, ...]:
        return ("wave", "nod")

    def load(self, split, folder: Path) -> Clips:
        with (folder.parent / "calls.txt").open("a") as calls:
            calls.write(f"{split}\\n")
        kill = folder.parent / f"kill-{split}"
        if kill.exists():
            kill.unlink()
            os.kill(os.getpid(), signal.SIGKILL)
        x = np.load(folder / f"{split}.npy")
        if len(x) < 2:
            raise DataError(f"'{folder}/secret.npy', line 3 is wrong.")
        first = {"train": 7100, "val": 7200, "test": 7300}[split]
        return make_clips(list(x), np.arange(len(x)) % 2, first + np.arange(len(x)) % 2, [f"secret-{split}-{i}" for i in range(len(x))])

@hookimpl
def mgbench_datasets() -> list[type[Dataset]]:
    return [Boxes]
'''


@pytest.fixture
def boxes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data root with sound files, beside a plugin that reads them; commands run in it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MGBENCH_DATA", str(tmp_path))
    (tmp_path / "gated.py").write_text(PLUGIN.replace("PUBLIC", "False"))
    (tmp_path / "public.py").write_text(PLUGIN.replace("PUBLIC", "True"))
    (tmp_path / "boxes").mkdir()
    rng = np.random.default_rng(0)
    time = np.linspace(0, 1, 12)[:, None, None, None]
    for split in ("train", "val", "test"):
        clips = [3 + rng.normal(size=(1, 1, 25, 3)) + 0.02 * np.sin(6 * time + rng.normal(size=(1, 1, 25, 3))) for _ in range(8)]
        np.save(tmp_path / "boxes" / f"{split}.npy", np.stack(clips).astype(np.float32))
    data_key.cache_clear()
    return tmp_path


@pytest.fixture
def on_boxes(boxes: Path, mgbench: Command) -> Command:
    """Run a command with the plugin of gated boxes."""
    return lambda *arguments: mgbench("data", *arguments, "--plugin", boxes / "gated.py")


def calls(root: Path) -> list[str]:
    """Return which splits were loaded."""
    return (root / "calls.txt").read_text().split() if (root / "calls.txt").exists() else []


def break_split(root: Path, split: str) -> None:
    """Leave one clip in a split, which its loader refuses."""
    np.save(root / "boxes" / f"{split}.npy", np.ones((1, 5, 1, 25, 3), np.float32))
    data_key.cache_clear()


def in_shell(*words: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command in a process of its own, which may die."""
    call = [sys.executable, "-m", "mgbench", "data", *map(str, words)]
    return subprocess.run(call, check=False, capture_output=True, text=True, env={**os.environ, **environment})


def test_how_tells_what_is_expected_and_what_is_there(boxes: Path, on_boxes: Command) -> None:
    """Its terms and tree, each place that is looked at with what it holds, and whether it is packed; no name of a file."""
    before = on_boxes("how", "boxes")
    on_boxes("prepare", "boxes")
    after = on_boxes("how", "boxes")
    lines = [" ".join(line.split()) for line in before.output.splitlines()]

    assert before.exit_code == 0
    assert "Boxes are granted to nobody. Expected:\n  boxes/train.npy\n" in before.output
    assert f"looked for {boxes / 'boxes'} 0 folders, 3 files, 84.8 KiB (3 .npy)" in lines
    assert f"{boxes / 'other'} not there" in lines
    assert before.output.splitlines()[-1].endswith("not yet: mgbench data prepare boxes")
    assert after.output.splitlines()[-1].endswith("ready for runs")


def test_how_of_data_that_are_missing_or_made(tmp_path: Path, mgbench: Command) -> None:
    """Nothing needs to be there to be told how it is got; what is made needs nothing."""
    assert "not there" in mgbench("data", "how", "smg", "--data-root", tmp_path).output
    assert "granted by the University of Oulu" in mgbench("data", "how", "smg", "--data-root", tmp_path).output
    assert mgbench("data", "how", "synthetic").output.endswith("It is made, not read, and needs no files.\n")


def test_prepare_packs_once(boxes: Path, on_boxes: Command) -> None:
    """Counts and digests are told; the second time nothing is parsed, and the same is told."""
    first, second = on_boxes("prepare", "boxes"), on_boxes("prepare", "boxes")
    table = [line.split() for line in first.output.splitlines()[4:8]]

    assert first.exit_code == second.exit_code == 0
    assert calls(boxes) == ["train", "val", "test"]
    assert first.output.splitlines()[:4] == [f"boxes: packing {boxes / 'boxes'}", "train packed", "val packed", "test packed"]
    assert [row[:-1] for row in table[1:]] == [[split, "8", "2", "96", "12", "12", "12"] for split in ("train", "val", "test")]
    assert len({row[-1] for row in table}) == 4
    assert second.output.splitlines() == ["boxes is packed already.", *first.output.splitlines()[4:]]


def test_runs_use_what_was_prepared(boxes: Path, on_boxes: Command, mgbench: Command) -> None:
    """Planning finds the packed split, and sound clips audit alike from the files and from the packed copy, which is not parsed again."""
    from_files = on_boxes("audit", "boxes").output
    on_boxes("prepare", "boxes")
    parsed = len(calls(boxes))
    planned = mgbench("plan", "-d", "boxes", "-m", "mgrl", "--plugin", boxes / "gated.py").output

    assert "8 test clips of 2 subjects" in planned
    assert on_boxes("audit", "boxes").output == from_files
    assert len(calls(boxes)) == parsed


@pytest.mark.parametrize("workers", ["1", "2"])
def test_prepare_goes_on_after_a_kill(boxes: Path, on_boxes: Command, workers: str) -> None:
    """A split that was packed is not parsed again, whether the command itself was killed or a process of it."""
    (boxes / "kill-test").touch()
    killed = in_shell("prepare", "boxes", "--workers", workers, "--plugin", boxes / "gated.py")
    (left,) = (boxes / "runs" / "data").glob(".packing-*")
    packed = sorted(path.name for path in left.iterdir())
    done = on_boxes("prepare", "boxes")

    assert killed.returncode != 0
    assert "Traceback" not in killed.stderr
    assert ("Error: The process that packed test was ended" in killed.stderr) == (workers == "2")
    assert packed == ["train", "val"] if workers == "1" else {"train"} <= {*packed}
    assert done.exit_code == 0
    assert calls(boxes).count("train") == 1
    assert not left.exists()


def test_splits_are_packed_at_once_to_the_same(boxes: Path, on_boxes: Command) -> None:
    """Processes pack what one after another packs."""
    alone = on_boxes("prepare", "boxes", "--store", boxes / "a", "--workers", 1).output.splitlines()
    together = on_boxes("prepare", "boxes", "--store", boxes / "b", "--workers", 3).output.splitlines()

    assert together[4:8] == alone[4:8]
    assert sorted(together[1:4]) == ["test packed", "train packed", "val packed"]


@pytest.mark.parametrize("workers", [1, 3])
def test_prepare_leaves_nothing_of_broken_data(boxes: Path, on_boxes: Command, workers: int) -> None:
    """A split that cannot be read is one sentence and exit status 2; no split stays."""
    break_split(boxes, "test")
    done = on_boxes("prepare", "boxes", "--workers", workers)

    assert done.exit_code == 2
    assert done.stderr == f"Error: '{boxes}/boxes/secret.npy', line 3 is wrong.\n"
    assert [path.suffix for path in (boxes / "runs" / "data").iterdir()] == [".lock"]


@pytest.mark.parametrize("workers", [1, 3])
def test_prepare_tells_whatever_a_loader_raises(boxes: Path, on_boxes: Command, workers: int) -> None:
    """A loader that stumbles is one sentence and exit status 2, in one process and in several; no split stays."""
    (boxes / "boxes" / "val.npy").write_bytes(b"no array")
    done = on_boxes("prepare", "boxes", "--workers", workers)

    assert done.exit_code == 2
    assert done.stderr.startswith("Error: boxes val cannot be packed: ")
    assert done.stderr.count("\n") == 1
    assert [path.suffix for path in (boxes / "runs" / "data").iterdir()] == [".lock"]


def test_prepare_from_another_folder(boxes: Path, on_boxes: Command, tmp_path: Path) -> None:
    """Files from elsewhere are packed under the key that they have once they lie below the data root; how they get there is told."""
    elsewhere = tmp_path / "down loads"
    (boxes / "boxes").rename(elsewhere)
    done = on_boxes("prepare", "boxes", "--from", elsewhere)
    last = done.output.splitlines()[-1]

    assert done.exit_code == 0
    assert last.endswith(f": ln -s {shlex.quote(str(elsewhere))} {boxes / 'boxes'}")

    subprocess.run(shlex.split(last.partition("link them: ")[2]), check=True)

    assert on_boxes("prepare", "boxes").output.startswith("boxes is packed already.\n")
    assert "Runs" not in on_boxes("prepare", "boxes", "--from", elsewhere).output


def test_prepare_from_a_second_copy(boxes: Path, on_boxes: Command) -> None:
    """Where runs would read another folder, that is told."""
    (boxes / "copy").mkdir()
    for path in (boxes / "boxes").iterdir():
        (boxes / "copy" / path.name).write_bytes(path.read_bytes())

    assert f"Runs use the files in {boxes / 'boxes'}, which is another folder" in on_boxes("prepare", "boxes", "--from", "copy").output


BAD = {
    "unknown": (["prepare", "smgg"], "There is no dataset 'smgg'; did you mean 'smg'?"),
    "sweep": (["audit", "wmft[tail=[0,1]]"], "The spec 'wmft[tail=[0,1]]' is a sweep of 2 components; one was expected."),
    "missing": (["audit", "smg", "--data-root", "nowhere"], "The data of 'smg' is missing: "),
    "missing to show": (["show", "smg", "--data-root", "nowhere"], "The data of 'smg' is missing: "),
    "no folder": (["prepare", "smg", "--from", "nowhere"], "--from got 'nowhere', which is no folder; give the one that would be '"),
    "made": (["prepare", "synthetic", "--from", "."], "The data of 'synthetic' are made, not read, so there is nothing to read from '.'"),
    "store": (["prepare", "synthetic:clips=34", "--store", "/proc/no"], "Cannot write to '/proc/no/data'"),
    "clip": (["show", "boxes", "--clip", "x", "--out", "p"], "There is no clip 'x' in train, val, test of 'boxes'; "),
    "gated clip": (["show", "boxes", "--clip", "secret-val-1"], "--clip needs --out DIR, since the recordings of 'boxes' may not be "),
    "no place": (["show", "boxes", "--out", "/proc/no"], "Cannot write '/proc/no/boxes-train-0.png'; give another folder by --out."),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_told_in_one_sentence(name: str, on_boxes: Command) -> None:
    """What was got, what is allowed, exit status 2, and no traceback."""
    arguments, sentence = BAD[name]
    done = on_boxes(*arguments)

    assert done.exit_code == 2, done.output
    assert done.stderr.startswith(f"Error: {sentence}")


def test_damaged_pack_is_told(boxes: Path, on_boxes: Command) -> None:
    """Somebody emptied a packed file: the folder to delete is named."""
    on_boxes("prepare", "boxes")
    (next((boxes / "runs" / "data").glob("boxes-*[!k]")) / "val" / "x.npy").write_bytes(b"")
    done = on_boxes("audit", "boxes")

    assert done.exit_code == 2
    assert "are damaged" in done.stderr
    assert "delete '" in done.stderr


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


@pytest.mark.data
@pytest.mark.parametrize(("name", "root"), [("wmft", "."), ("smg", "format_fixtures")])
def test_recordings_audit_without_errors(name: str, root: str, data_folder: Path, tmp_path: Path, mgbench: Command) -> None:
    """The real recordings that are at hand have no error; what warnings they have is told."""
    done = mgbench("data", "audit", name, "--data-root", data_folder / root, "--store", tmp_path)

    assert done.exit_code == 0, done.output
    assert f"{name}: 0 errors" in done.output
    assert "jump" in done.output
