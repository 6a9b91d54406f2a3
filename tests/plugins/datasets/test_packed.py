"""Packed: what every layout shares: fields, the folder, skeletons, links; and real recordings in each layout."""

import json
import shutil
from importlib import resources
from pathlib import Path

import numpy as np
import pytest
from mgbench_plugins.datasets.packed import Packed
from own_files import KINECT, loaded, refused, write
from star import STAR

from mgbench import DataError, SpecError, load_skeleton
from mgbench.packing import pack, read_facts
from mgbench.part import build, describe
from mgbench.paths import dataset_folder
from mgbench.registry import registry
from mgbench.skeleton import skeleton_names


@pytest.mark.data
@pytest.mark.parametrize("folder", ["stgcn_npy", "ctrgcn_npz"])
def test_real_recordings_in_dense_layouts(folder: str, data_folder: Path) -> None:
    """Both dense fixtures hold the first 64 frames of eight recordings a part; the second person's place is empty."""
    root = data_folder / "format_fixtures"
    dataset = Packed(folder=folder, skeleton="kinect25").at(root / folder)
    assert (dataset.splits, dataset.persons, dataset.classes[-1]) == (("train", "test"), 2, "class 4")
    for split, first in (("train", "S01"), ("test", "S03")):
        clips = loaded(root / folder, split, folder=folder)  # type: ignore[arg-type] # fields of any kind
        recording = np.fromfile(data_folder / "wmft_kinect25" / "data" / f"{first}_healthy_task01.bin", "<f4").reshape(-1, 25, 3)
        assert clips.x.shape == (8 * 64, 2, 25, 3)
        assert clips.frames.tolist() == [64] * 8
        assert clips.label.tolist() == [0, 1, 2, 3] * 2
        np.testing.assert_array_equal(clips[0][:, 0], recording[:64])
        assert not clips.x[:, 1].any()


@pytest.mark.data
def test_real_recordings_in_a_pickle(data_folder: Path) -> None:
    """The 3-D fixture holds whole recordings in half precision; the 2-D one brings a score, and has splits without a protocol."""
    folder = data_folder / "format_fixtures" / "pyskl_pkl"
    clips = loaded(folder, folder="pyskl_pkl", file="wmft4_3danno.pkl", protocol="xsub")
    recording = np.fromfile(data_folder / "wmft_kinect25" / "data" / "S01_healthy_task01.bin", "<f4").reshape(-1, 1, 25, 3)
    assert clips.frames.tolist() == [167, 318, 198, 141, 86, 114, 88, 82]
    np.testing.assert_array_equal(clips[0], recording.astype(np.float16).astype(np.float32))
    flat = loaded(folder, "test", folder="pyskl_pkl", file="ar8_2danno.pkl", skeleton="body25")
    assert (flat.clip, flat.label.tolist(), flat.frames.tolist()) == (("ar_170", "ar_204", "ar_238"), [3, 4, 5], [92] * 3)
    assert (flat.x[..., 2] == 1).all()


@pytest.mark.data
def test_real_recordings_of_openpose(data_folder: Path, tmp_path: Path) -> None:
    """Twenty frames of one person, of which frame 5 is empty, read as a clip each in train and test."""
    folder = tmp_path / "mine"
    for part in ("train", "test"):
        shutil.copytree(data_folder / "format_fixtures" / "openpose_json" / "ar_come_000", folder / part / "come" / part)
    for split in ("train", "test"):
        clips = loaded(folder, split, skeleton="body25")
        assert (clips.x.shape, clips.label.tolist()) == ((20, 1, 25, 3), [0])
        assert [frame for frame in range(20) if not clips.x[frame].any()] == [5]
        np.testing.assert_array_equal(clips.x[4, 0, 1], np.array([208.698, 167.264, 1.0], dtype=np.float32))
    assert Packed(folder="mine", skeleton="body25").at(folder).classes == ("come",)


def test_clips_come_back(mine: Path) -> None:
    """Coordinates, names, labels and splits are those of the files; classes without names are numbered from 1."""
    x = np.load(mine / "train_data.npy")
    clips = loaded(mine)
    assert (clips.clip, clips.label.tolist(), clips.frames.tolist()) == (("a", "b"), [0, 2], [4, 4])
    np.testing.assert_array_equal(clips[1], x[1].transpose(1, 3, 2, 0))
    assert Packed(**KINECT).at(mine).classes == ("class 1", "class 2", "class 3")  # type: ignore[arg-type] # fields of any kind


def test_what_is_packed_tells_all_that_cells_need(mine: Path, tmp_path: Path) -> None:
    """After packing, skeleton, classes, persons and splits are read without the files; two loads are equal."""
    (mine / "skeleton.toml").write_text((resources.files("mgbench.skeletons") / "kinect25.toml").read_text())
    part = describe(Packed(folder="mine"), registry())
    dataset = build(part, registry())
    packed = pack(dataset, part, tmp_path, tmp_path / "cache")
    there = dataset.at(mine)
    shutil.rmtree(mine)
    facts = read_facts(dataset, packed)
    assert (facts.classes, facts.persons, facts.splits) == (there.classes, there.persons, there.splits)
    assert facts.skeleton == there.skeleton
    assert json.loads((packed / "train" / "clips.json").read_text())["digest"] == there.load("train", mine).digest


@pytest.mark.parametrize("told", ["classes", "persons", "splits"])
def test_what_the_folder_tells_is_not_guessed(told: str) -> None:
    """Without its folder the data set has no classes, persons or splits."""
    with pytest.raises(DataError, match=rf"^The {told} of 'packed' are told by its folder: Packed\(\.\.\.\)\.at\(folder\)\.{told}\.$"):
        getattr(Packed(), told)


@pytest.mark.parametrize("folder", ["", ".", "..", "../mine", "a/../b", "/etc", "a//b", "a/", "~/data", "C:/data", "a\\b", "a\0b"])
def test_a_folder_stays_below_the_root(folder: str) -> None:
    """No absolute path, no step upwards and no other root is a folder."""
    with pytest.raises(ValueError, match="it is a name below the data root"):
        Packed(folder=folder)


@pytest.mark.parametrize("name", ["../x.toml", "/x.toml", "a/x.toml", "~x.toml"])
def test_files_stay_in_the_folder(name: str) -> None:
    """A skeleton's or archive's file is named without a path."""
    for field in ("skeleton", "file"):
        with pytest.raises(ValueError, match=f"{field} got .*without a path"):
            Packed(**{field: name})  # type: ignore[arg-type] # the wrong value is the point


def test_fields_are_read_as_text() -> None:
    """The data set reads back from its text, an unknown skeleton brings the nearest, and the folder is below the data root."""
    dataset = registry().parse("dataset", "packed[folder=a/b,skeleton=kinect25,people=1,protocol=xsub]")
    assert dataset == Packed(folder="a/b", skeleton="kinect25", people=1, protocol="xsub")
    assert registry().parse("dataset", str(dataset)) == dataset
    assert dataset.folders == ("a/b",)
    with pytest.raises(
        SpecError, match=r"skeleton got 'kinect52', which is no \.toml file of the folder either; did you mean 'kinect25'\?"
    ):
        registry().parse("dataset", "packed:skeleton=kinect52")


def test_the_folder_is_found_below_the_root(mine: Path) -> None:
    """A nested folder is found, a missing one is told with what is expected."""
    shutil.move(mine, mine.parent / "data" / "mine")
    folder = dataset_folder(Packed(folder="data/mine"), mine.parent)
    assert loaded(folder, folder="data/mine").clip == ("a", "b")
    with pytest.raises(DataError, match=r"but no folder 'mine';.*\nIt is your own data, in one of these layouts"):
        dataset_folder(Packed(folder="mine"), mine.parent)


@pytest.mark.parametrize("what", ["file", "inner", "linked"])
def test_links_do_not_leave_the_root(what: str, mine: Path, tmp_path: Path) -> None:
    """A link out of the data root is refused, be it a file or something within another link."""
    root = tmp_path / "root"
    outside = tmp_path / "outside.npy"
    shutil.copy(mine / "train_data.npy", outside)
    root.mkdir()
    (root / "other").mkdir()
    shutil.move(mine, root / "mine")
    if what == "file":
        (root / "mine" / "train_data.npy").unlink()
        (root / "mine" / "train_data.npy").symlink_to(outside)
    if what in {"inner", "linked"}:
        (root / "other" / "x.npy").symlink_to(outside)
        (root / "mine" / "more").symlink_to(root / "other" if what == "inner" else Path("../other"))
    with pytest.raises(DataError, match="is a link that leaves the data root"):
        Packed(**KINECT).at(root / "mine")  # type: ignore[arg-type] # fields of any kind


def test_the_folder_itself_may_be_a_link(mine: Path, tmp_path: Path) -> None:
    """Data that lie elsewhere are linked into the data root by their user."""
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "linked").symlink_to(mine)
    assert loaded(tmp_path / "root" / "linked").clip == ("a", "b")


def test_links_within_the_root_are_followed(mine: Path) -> None:
    """A link to a file below the data root is a file, and links in a circle end."""
    shutil.move(mine / "train_data.npy", mine.parent / "x.npy")
    (mine / "train_data.npy").symlink_to(Path("../x.npy"))
    (mine / "round").symlink_to(mine)
    assert loaded(mine).clip == ("a", "b")


def test_a_skeleton_of_ones_own(tmp_path: Path) -> None:
    """A skeleton of four joints in the folder makes clips of four joints; it is told where it is missing, or no skeleton."""
    write(tmp_path / "mine", "train", ["a"], joints=4)
    write(tmp_path / "mine", "val", ["b"], joints=4)
    path = tmp_path / "mine" / "star.toml"
    with pytest.raises(DataError, match=r"^The skeleton '.*star\.toml' is missing; name one, skeleton=.*kinect25.*, or write that file\.$"):
        loaded(tmp_path / "mine", skeleton="star.toml")
    path.write_text(STAR)
    assert loaded(tmp_path / "mine", skeleton="star.toml").x.shape == (4, 1, 4, 3)
    assert Packed(folder="mine", skeleton="star.toml").at(tmp_path / "mine").skeleton.name == "star"
    for wrong in ("", "joints = 3", "joints = [[1], [2]]", STAR.replace("hub", "hup", 1), STAR.replace('["left", "hub"], ', ""), "\xff"):
        path.write_bytes(wrong.encode("latin1"))
        with pytest.raises(DataError, match="star"):
            loaded(tmp_path / "mine", skeleton="star.toml")


def test_every_skeleton_comes_by_name(tmp_path: Path) -> None:
    """Each skeleton that comes with mgbench is named, and makes clips of its joints."""
    for name in skeleton_names():
        skeleton = load_skeleton(name)
        for part in ("train", "test"):
            write(tmp_path / name, part, [part], joints=len(skeleton.joints))
        assert loaded(tmp_path / name, skeleton=name).x.shape[2:] == (len(skeleton.joints), 3)


def test_a_folder_in_the_folder_is_pointed_at(mine: Path) -> None:
    """Files that lie one folder deeper, as an archive unpacks them, are named with what finds them."""
    mine.rename(mine.parent / "inner")
    mine.mkdir()
    (mine.parent / "inner").rename(mine / "inner")
    with pytest.raises(DataError, match=r"' holds inner, and none of the layouts .*; inner in it has one: folder=mine/inner\.$"):
        Packed(**KINECT).at(mine)


def test_a_folder_of_nothing_known_is_told(mine: Path) -> None:
    """What is there is said beside what is allowed; two layouts are told apart by name, and a missing part by what it lacks."""
    allowed = "none of the layouts stgcn_npy, ctrgcn_npz, pyskl_pkl, openpose_json; docs/datasets/packed.md shows the files of each."
    (mine.parent / "empty").mkdir()
    refused(f"'{{}}' holds nothing, and {allowed}", mine.parent / "empty", folder="empty")
    (mine / "x.npz").write_bytes(b"")
    refused("'{}' has files of the layouts stgcn_npy and ctrgcn_npz; name the one that is meant, as in layout=stgcn_npy.", mine)
    assert loaded(mine, layout="stgcn_npy").clip == ("a", "b")
    (mine / "test_data.npy").unlink()
    said = "The folder '{}' has train; it needs a train part, and a test part, which may be called val."
    refused(said, mine, layout="stgcn_npy")
