"""Packed: classes, people and splits, as the folder tells them."""

from pathlib import Path

import numpy as np
import pytest
from mgbench_plugins.datasets.packed import Packed
from own_files import KINECT, loaded, refused, write

from mgbench import DataError


ACCEPT = "split the clips by people, or accept it with shared_subjects=true, which every record then says."


def test_class_names_are_listed(mine: Path) -> None:
    """`classes.txt` names classes in the order of the labels; a label behind its end, and a name that is there twice, are refused."""
    (mine / "classes.txt").write_text("wave\npoint\nrest\nnever seen\n")
    assert Packed(**KINECT).at(mine).classes == ("wave", "point", "rest", "never seen")  # type: ignore[arg-type] # fields of any kind
    (mine / "classes.txt").write_text("wave\npoint\n")
    refused("'{}/train_data.npy', clip 'b' has class number 2; classes.txt beside it names 0 to 1.", mine)
    (mine / "classes.txt").write_text("wave\nwave\n")
    refused("'{}/classes.txt', line 2 is 'wave'; each line is a name of its own.", mine)
    (mine / "classes.txt").write_text("")
    refused("'{}/classes.txt' is empty; it needs a name a line.", mine)


def test_classes_that_count_from_one_are_told(tmp_path: Path) -> None:
    """Where no clip is of class 0, and nobody names the classes, one of them would be nobody's."""
    folder = tmp_path / "mine"
    write(folder, "train", ["a", "b"], [1, 2])
    write(folder, "test", ["c"], [1])
    refused("'{}' has no clip of class 0, as where classes count from 1; take 1 off, or name all of them in classes.txt.", folder)
    (folder / "classes.txt").write_text("none\nwave\npoint\n\n")

    assert Packed(**KINECT).at(folder).classes == ("none", "wave", "point")


def test_a_crowd_is_not_made_up(mine: Path) -> None:
    """More people than files hold are zero, and there is an end to it."""
    assert loaded(mine, people=3).x.shape[1:] == (3, 25, 3)
    assert not loaded(mine, people=3).x[:, 1:].any()
    with pytest.raises(ValueError, match="'people' must be <= 100: 101"):
        Packed(folder="mine", skeleton="kinect25", people=101)


def test_people_who_are_not_told_claim_nothing(mine: Path) -> None:
    """Where nobody tells who is recorded, all clips of a split count as one person's, another one in each split."""
    assert (loaded(mine).subject.tolist(), loaded(mine, "test").subject.tolist()) == ([0, 0], [2])


def test_people_are_told_in_a_table(mine: Path) -> None:
    """`subjects.csv` tells; whole numbers are kept, other words are numbered in their order; clips of other data do not matter."""
    (mine / "subjects.csv").write_text("clip,subject\na,7\nb,3\nc,12\nz,1\n")
    assert (loaded(mine).subject.tolist(), loaded(mine, "test").subject.tolist()) == ([7, 3], [12])
    (mine / "subjects.csv").write_text('clip,subject\n"a",Zoe\n b , Ann \nc,Max\n')
    assert (loaded(mine).subject.tolist(), loaded(mine, "test").subject.tolist()) == ([2, 0], [1])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "'{}/subjects.csv', line 1 is ''; it names the columns: clip,subject."),
        ("name,subject\n", "'{}/subjects.csv', line 1 is 'name,subject'; it names the columns: clip,subject."),
        ("clip,subject\n", "'{}/subjects.csv' has no line but its header; each clip has one."),
        ("clip,subject\na,1,2\n", "'{}/subjects.csv', line 2 is 'a,1,2'; it must fill the columns clip,subject."),
        ("clip,subject\na,1\nb,\n", "'{}/subjects.csv', line 3 is 'b,'; it must fill the columns clip,subject."),
        ("clip,subject\na,1\na,1\n", "'{}/subjects.csv', line 3 names the clip 'a' again; each has one line."),
        ("clip,subject\na,1\nb,2\n", "'{}/subjects.csv' has no line for the clip 'c'; each clip has one, or there is no such file."),
        (
            "clip,subject\na,1\nb,2\nc,2\n",
            "People of '{}' who are in both train and test: 1; " + ACCEPT,
        ),
    ],
)
def test_a_wrong_table_of_people_is_told(text: str, said: str, mine: Path) -> None:
    """A table names file, line and rule, and nobody is in two splits unasked."""
    (mine / "subjects.csv").write_text(text)
    refused(said, mine)


def test_a_table_must_be_text(mine: Path) -> None:
    """Bytes that are no UTF-8, and cells that no table has, are errors of the file."""
    for data in (b"clip,subject\n\xff,1\n", b'clip,subject\n"' + b"x" * 200_000):
        (mine / "subjects.csv").write_bytes(data)
        with pytest.raises(DataError, match=r"subjects\.csv' cannot be read"):
            loaded(mine)


def test_people_are_told_by_names_of_ntu(tmp_path: Path) -> None:
    """Names in NTU's form tell the performer, where all have it; one who is in two splits has to be accepted."""
    folder = tmp_path / "mine"
    write(folder, "train", ["S001C002P003R001A013", "S001C002P108R001A013"])
    write(folder, "val", ["S001C001P011R001A013.skeleton"])
    assert (loaded(folder).subject.tolist(), loaded(folder, "test").subject.tolist()) == ([3, 108], [11])
    write(folder, "val", ["S001C001P003R001A013"])
    with pytest.raises(DataError, match="who are in both train and test: 1"):
        loaded(folder)
    assert loaded(folder, "test", shared_subjects=True).subject.tolist() == [3]
    write(folder, "val", ["somebody"])
    assert loaded(folder).subject.tolist() == [0, 0]


def test_a_clip_is_in_one_split_once(tmp_path: Path) -> None:
    """A name that is there twice, or in two splits, is refused: one clip must not be learnt from and scored."""
    folder = tmp_path / "mine"
    write(folder, "train", ["a", "b"])
    write(folder, "test", ["b"])
    refused("'{}/test_data.npy' has the clip 'b' in train and in test; each name is one clip.", folder)
    write(folder, "train", ["a", "a"])
    refused("'{}/train_data.npy' has the clip 'a' twice in train; each name is one clip.", folder)


@pytest.mark.parametrize(("parts", "splits"), [("train val", "train test"), ("train test", "train test"), ("train val test",) * 2])
def test_val_is_the_test_split_where_there_is_no_other(parts: str, splits: str, tmp_path: Path) -> None:
    """What the field calls val is scored; only beside a test part it is a validation split."""
    for part in parts.split():
        write(tmp_path / "mine", part, [part])
    dataset = Packed(**KINECT).at(tmp_path / "mine")  # type: ignore[arg-type] # fields of any kind
    assert dataset.splits == tuple(splits.split())
    assert [dataset.load(split, tmp_path).clip[0] for split in dataset.splits] == parts.split()


def test_people_kept_are_the_first(tmp_path: Path) -> None:
    """`people` keeps the first of each clip, or adds empty places; by default there are as many as in the fullest clip."""
    folder = tmp_path / "mine"
    for part in ("train", "test"):
        write(folder, part, [part])
    x = np.random.default_rng(0).normal(size=(1, 3, 4, 25, 2)).astype(np.float32)
    np.save(folder / "train_data.npy", x)
    assert [loaded(folder, split).x.shape[1] for split in ("train", "test")] == [2, 2]
    np.testing.assert_array_equal(loaded(folder, people=1)[0], x[0].transpose(1, 3, 2, 0)[:, :1])
    assert loaded(folder, people=3).x.shape[1] == 3
