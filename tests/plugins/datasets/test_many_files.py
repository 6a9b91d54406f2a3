"""Many files: processes give what one gives, in order, and tell what is wrong; clips lie in a file, not in memory."""

import sys
from pathlib import Path

import numpy as np
import pytest
from mgbench_plugins.datasets import ntu60
from mgbench_plugins.datasets.many_files import gather, read_all
from mgbench_plugins.datasets.ntu60 import read_clip

from mgbench import DataError


Jobs = list[tuple[str]]


@pytest.fixture
def jobs(tmp_path: Path) -> Jobs:
    """Write seven recordings of one to seven frames."""
    body = "1 0 0 0 0 0 0 0 0 2\n25\n" + "0.1 0.2 0.3 0 0 0 0 0 0 0 0 2\n" * 25
    for number in range(7):
        (tmp_path / f"{number}.skeleton").write_text(f"{number + 1}\n" + f"1\n{body}" * (number + 1))
    return [(str(tmp_path / f"{number}.skeleton"),) for number in range(7)]


@pytest.mark.parametrize("processes", [1, 2, 3])
def test_processes_give_what_one_gives(processes: int, jobs: Jobs) -> None:
    """Every clip comes, in order, with every number."""
    clips = list(read_all(read_clip, jobs, processes))
    assert [len(clip) for clip in clips] == list(range(1, 8))
    for clip, job in zip(clips, jobs, strict=True):
        np.testing.assert_array_equal(clip, read_clip(*job))


def test_other_processes_read(jobs: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was changed in this process alone reaches no other: it is they who read."""
    monkeypatch.setattr(ntu60, "read_recording", None)
    assert [len(clip) for clip in read_all(read_clip, jobs, 2)] == list(range(1, 8))


def test_an_error_is_told_where_it_stands_in_the_order(jobs: Jobs) -> None:
    """Clips before the broken file come, then its own sentence."""
    Path(jobs[3][0]).write_text("9\n")
    clips = read_all(read_clip, jobs, 2)
    assert [len(next(clips)) for _ in range(3)] == [1, 2, 3]
    with pytest.raises(DataError, match=r"3\.skeleton' ends after line 1"):
        next(clips)


def test_leaving_early_ends_the_processes(jobs: Jobs) -> None:
    """What was started is ended with the one who asked, and nothing stays open."""
    clips = read_all(read_clip, jobs * 50, 2)
    assert len(next(clips)) == 1
    clips.close()  # type: ignore[attr-defined] - it is a generator


@pytest.mark.parametrize("python", ["/bin/false", "/bin/cat"])
def test_processes_that_do_not_start_are_done_without(python: str, jobs: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no other Python runs, this one reads."""
    monkeypatch.setattr(sys, "executable", python)
    assert [len(clip) for clip in read_all(read_clip, jobs, 2)] == list(range(1, 8))


def test_gathered_clips_are_mapped(jobs: Jobs) -> None:
    """Coordinates lie in a file that is gone from its folder; labels, people and names stand beside them."""
    clips = gather(read_clip, jobs, label=list(range(7)), subject=[9] * 7, clip=list("abcdefg"))
    assert isinstance(clips.x, np.memmap)
    assert not clips.x.flags.writeable
    assert clips.frames.tolist() == list(range(1, 8))
    assert (clips.label.tolist(), clips.subject.tolist(), clips.clip) == (list(range(7)), [9] * 7, tuple("abcdefg"))
    np.testing.assert_array_equal(clips[4], read_clip(*jobs[4]))
