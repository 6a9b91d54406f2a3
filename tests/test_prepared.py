"""Set augmentations in a cell: what is trained on, what is kept of it, and what methods that use labels see."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars
import torch
from bodies import body
from click.testing import Result
from mgbench_plugins.augmentations.merge import SkeletonMix
from mgbench_plugins.methods.mgrl import MGRL
from mgbench_plugins.methods.supervised import Supervised

from mgbench import Clips, Made, load_skeleton, make_clips
from mgbench.data import Dense, enlarged
from mgbench.packing import Facts
from mgbench.preprocess import densify
from mgbench.preprocessings import preprocessing
from mgbench.records import read_records
from mgbench.store import read_json
from mgbench.train import draw_batch


Command = Callable[..., Result]
ZOO = Path(__file__).parent / "zoo.py"
KINECT = load_skeleton("kinect25")
FACTS = Facts(KINECT, ("a", "b", "c"), 1, ("train", "test"))


def recorded() -> Clips:
    """Return nine clips of three classes."""
    rng = np.random.default_rng(0)
    return make_clips([body(rng, 10 + i) for i in range(9)], np.arange(9) % 3, np.arange(9), [str(i) for i in range(9)])


def dense(clips: Clips) -> Dense:
    """Return clips as a cell has them before it makes new ones."""
    x = densify(clips, KINECT, preprocessing("frame50"))
    return Dense(x, torch.from_numpy(clips.label), torch.from_numpy(clips.frames))


def run(mgbench: Command, store: Path, *words: str) -> Result:
    """Run two tiny steps."""
    small = ("-d", "waves", "-e", "stgcn[width=4,features=16]", "--steps", "2", "--batch-size", "8", "--no-floors", "--plugin", ZOO)
    return mgbench("run", *words, *small, "--store", store)


def only_cell(store: Path, word: str) -> Path:
    """Return the one cell of that word."""
    (found,) = [path for path in (store / "cells").iterdir() if word in path.name]
    return found


def test_only_new_clips_are_preprocessed_and_the_set_is_as_if_all_were() -> None:
    """Recorded and new clips together equal the whole set made dense at once."""
    clips = recorded()
    grown = SkeletonMix(ratio=0.5).apply(clips, KINECT, FACTS.classes, 0)
    found = enlarged(dense(clips), grown, FACTS, preprocessing("frame50"), "joint")
    assert torch.equal(found.x, densify(grown, KINECT, preprocessing("frame50")))
    assert found.label.tolist() == [*clips.label, *[-1] * 4]
    assert found.length.tolist() == grown.frames.tolist()
    before = dense(clips)
    assert enlarged(before, clips, FACTS, preprocessing("frame50"), "joint") is before


def test_methods_with_labels_see_mixed_ones_and_others_none() -> None:
    """A batch of a supervised method holds shares of classes, that of a self-supervised one no label."""
    clips = recorded()
    grown = SkeletonMix(share="half").apply(clips, KINECT, FACTS.classes, 0)
    data = enlarged(dense(clips), grown, FACTS, preprocessing("frame50"), "joint")
    index, generator = torch.arange(len(grown)), torch.Generator().manual_seed(0)
    label = draw_batch(Supervised(), data, index, KINECT, generator).label
    assert label is not None
    assert label.tolist() == grown.class_shares(3).tolist()
    assert draw_batch(MGRL(), data, index, KINECT, generator).label is None


def test_shares_follow_donors_of_donors() -> None:
    """A clip that was made of a made one inherits its shares."""
    clips = recorded()
    once = clips.grown([clips[0]], ["x"], Made(np.array([[0, 1]]), np.array([0.75])))
    twice = once.grown([clips[0]], ["y"], Made(np.array([[9, 2]]), np.array([0.5])))
    np.testing.assert_allclose(twice.class_shares(3)[9:], [[0.75, 0.25, 0], [0.375, 0.125, 0.5]])
    assert twice.subject[9:].tolist() == [0, 0]
    assert len({clips.digest, once.digest, twice.digest}) == 3


def test_a_cell_keeps_what_it_made_and_of_what(mgbench: Command, tmp_path: Path) -> None:
    """Donors by name, shares that sum up, the prior with its digest; the same cell again makes the same."""
    for store in ("one", "other"):
        assert run(mgbench, tmp_path / store, "-m", "mgrl[projector=16]").exit_code == 0
    told, again = (read_json(only_cell(tmp_path / store, "mgrl") / "prepared.json") for store in ("one", "other"))
    assert told == again
    assert told["pipeline"] == ["merge"]
    assert len(told["clips"]) == len(told["donors"]) == len(told["share"]) == round(0.2 * told["recorded"])
    first, second = told["donors"][0]
    assert told["clips"][0] == f"merge:{told['recorded']}({first}&{second})"
    (note,) = told["notes"]
    assert len(note["prior"]["digest"]) == 16
    assert sum(note["prior"]["clips"]) == told["recorded"]


def test_a_supervised_method_can_be_given_merged_clips(mgbench: Command, tmp_path: Path) -> None:
    """It trains on mixed labels; what it processed is what its budget says."""
    done = run(mgbench, tmp_path, "-m", "supervised", "-a", "merge[ratio=1]")
    assert done.exit_code == 0, done.output
    rows: dict[str, Any] = read_json(only_cell(tmp_path, "supervised") / "metrics.json")["rows"]
    assert rows["linear"]["clips_processed"] == 16


def test_no_new_clips_is_not_no_views(mgbench: Command, tmp_path: Path) -> None:
    """`merge[ratio=0]` keeps the method's views and makes nothing; boards say where labels guided what was made."""
    assert run(mgbench, tmp_path, "-m", "mgrl[projector=16]", "-a", "merge[ratio=0],default,merge[prior=clusters]").exit_code == 0
    records = read_records(tmp_path).filter(polars.col("learns") & (polars.col("evaluator") == "linear"))
    guided = dict(zip(records["augmentation"], records["guided"], strict=True))
    assert guided == {"merge[ratio=0.0]": False, "default": True, "merge[prior=clusters]": False}
    method = read_json(only_cell(tmp_path, "ratio-0-") / "spec.json")["method"]["parameters"]
    assert method["augment"] == "crop+shear+rotate+flip"
    board = mgbench("leaderboard", "build", "--store", tmp_path).output
    assert {("label-guided" in line) for line in board.splitlines() if "clusters" in line} == {False}
    assert any("(label-guided)" in line for line in board.splitlines())


def test_new_clips_without_labels_are_not_for_methods_that_need_them(mgbench: Command, tmp_path: Path) -> None:
    """A set augmentation that tells no donors leaves no label, and the pair is skipped with that reason."""
    done = run(mgbench, tmp_path, "-m", "supervised", "-a", "twice")
    assert "needs labels, which the new clips of its set augmentation do not have" in done.output
    assert run(mgbench, tmp_path, "-m", "mgrl[projector=16]", "-a", "twice").exit_code == 0
    told = read_json(only_cell(tmp_path, "mgrl") / "prepared.json")
    assert len(told["clips"]) == told["recorded"]
    assert "donors" not in told
