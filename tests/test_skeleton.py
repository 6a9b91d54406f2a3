"""Skeletons: the layouts that come with mgbench are those of the field, and a wrong one is refused in words."""

from pathlib import Path

import attrs
import pytest
from star import STAR

from mgbench import DataError, Skeleton, load_skeleton
from mgbench.skeleton import read_skeleton, skeleton_names


KINECT25_DEGREES = (3, 2, 2, 1, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 1, 2, 2, 2, 1, 4, 1, 2, 1, 2)
KINECT25_FLIP = (0, 1, 2, 3, 8, 9, 10, 11, 4, 5, 6, 7, 16, 17, 18, 19, 12, 13, 14, 15, 20, 23, 24, 21, 22)
#: parents of Kinect v2's 25 joints, as in ST-GCN, 2s-AGCN and CTR-GCN, the spine between the shoulders having none
KINECT25_PARENTS = (1, 20, 20, 2, 20, 4, 5, 6, 20, 8, 9, 10, 0, 12, 13, 14, 0, 16, 17, 18, -1, 22, 7, 24, 11)
#: COCO-18, as in Kinetics-skeleton
OPENPOSE18_BONES = "4-3 3-2 7-6 6-5 13-12 12-11 10-9 9-8 11-5 8-2 5-1 2-1 0-1 15-0 14-0 17-15 16-14"
#: BODY_25, as OpenPose draws it
BODY25_BONES = "8-1 2-1 5-1 3-2 4-3 6-5 7-6 9-8 10-9 11-10 12-8 13-12 14-13 0-1 15-0 17-15 16-0 18-16 19-14 20-19 21-14 22-11 23-22 24-11"
#: the owners' 22 joints of iMiGUE; which hand is whose is uncertain
IMIGUE22_BONES = "2-1 3-2 4-3 5-1 6-5 7-6 0-1 8-0 10-8 9-0 11-9 12-7 13-7 14-7 15-7 16-7 17-4 18-4 19-4 20-4 21-4"
#: parents of UI-PRMD's 22 joints, the waist having none
KINECT22_PARENTS = (-1, 0, 1, 2, 3, 4, 2, 6, 7, 8, 2, 10, 11, 12, 0, 14, 15, 16, 0, 18, 19, 20)


def bones(text: str) -> set[tuple[int, int]]:
    """Read `child-parent` pairs."""
    pairs = (pair.split("-") for pair in text.split())
    return {(int(child), int(parent)) for child, parent in pairs}


def star(**changes: object) -> Skeleton:
    """Return a made-up layout of four joints round the first, with these fields changed."""
    parts = {"head": (), "trunk": (0,), "arms": (1, 2), "hands": (), "legs": (3,)}
    fields: dict[str, object] = {
        "name": "star",
        "joints": ("hub", "left", "right", "foot"),
        "bones": ((1, 0), (2, 0), (3, 0)),
        "mirror": ((1, 2),),
        "root": 0,
        "centre": 0,
        "spine": 0,
        "parts": parts,
    }
    return Skeleton(**{**fields, **changes})  # type: ignore[arg-type] # fields of any kind


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("kinect25", {(joint, parent) for joint, parent in enumerate(KINECT25_PARENTS) if parent >= 0}),
        ("kinect22", {(joint, parent) for joint, parent in enumerate(KINECT22_PARENTS) if parent >= 0}),
        ("openpose18", bones(OPENPOSE18_BONES)),
        ("body25", bones(BODY25_BONES)),
        ("imigue22", bones(IMIGUE22_BONES)),
    ],
)
def test_bones_are_those_of_the_field(name: str, expected: set[tuple[int, int]]) -> None:
    """A shipped layout has the child-parent pairs that public code uses."""
    assert set(load_skeleton(name).bones) == expected


def test_kinect25_has_the_published_degrees() -> None:
    """The degrees that central masking draws by are those of PSTL's code, 48 in all."""
    degrees = load_skeleton("kinect25").degrees

    assert degrees == KINECT25_DEGREES
    assert sum(degrees) == 48


def test_kinect25_flips_as_published() -> None:
    """The flip of Kinect-25 is the field's permutation: five fixed joints and ten swaps."""
    flip = load_skeleton("kinect25").flip
    fixed = [joint for joint, image in enumerate(flip) if joint == image]

    assert flip == KINECT25_FLIP
    assert fixed == [0, 1, 2, 3, 20]
    assert (len(flip) - len(fixed)) // 2 == 10


@pytest.mark.parametrize("name", skeleton_names())
def test_flipping_twice_changes_nothing(name: str) -> None:
    """The mirror image of the mirror image is the body itself."""
    flip = load_skeleton(name).flip

    assert [flip[flip[joint]] for joint in range(len(flip))] == list(range(len(flip)))


@pytest.mark.parametrize("name", skeleton_names())
def test_the_mirror_image_has_the_same_bones(name: str) -> None:
    """Swapping left and right maps the tree of bones onto itself."""
    skeleton = load_skeleton(name)
    before = {frozenset(bone) for bone in skeleton.bones}
    after = {frozenset((skeleton.flip[child], skeleton.flip[parent])) for child, parent in skeleton.bones}

    assert after == before


@pytest.mark.parametrize("name", skeleton_names())
def test_mirror_pairs_join_left_to_right_by_name(name: str) -> None:
    """A mirror pair is the left and the right joint of one name."""
    skeleton = load_skeleton(name)
    names = [(skeleton.joints[left], skeleton.joints[right]) for left, right in skeleton.mirror]

    assert all(left.replace("_left", "_right") == right for left, right in names)
    assert all("_left" in left for left, _ in names)
    assert 2 * len(names) == sum("left" in joint or "right" in joint for joint in skeleton.joints)


@pytest.mark.parametrize("name", skeleton_names())
def test_upper_and_lower_halves_hold_every_joint_once(name: str) -> None:
    """`upper` and `lower` divide the joints, and the cut is above the legs."""
    skeleton = load_skeleton(name)

    assert sorted(skeleton.part("upper") + skeleton.part("lower")) == list(range(len(skeleton.joints)))
    assert skeleton.part("lower") == skeleton.part("legs")


def test_kinect25_lower_half_is_joints_12_to_19() -> None:
    """The legs of Kinect-25 are hips, knees, ankles and feet of both sides."""
    assert load_skeleton("kinect25").part("lower") == tuple(range(12, 20))


def test_a_score_is_no_coordinate() -> None:
    """Layouts with a score have two spatial axes, others three."""
    assert load_skeleton("openpose18").spatial_axes == 2
    assert load_skeleton("kinect25").spatial_axes == 3


def test_joints_are_found_by_name() -> None:
    """A joint's number is its place in the list of names."""
    assert load_skeleton("kinect25").joint("spine_shoulder") == 20


def test_an_unknown_joint_brings_the_nearest_name() -> None:
    """An unknown joint is refused with a suggestion."""
    with pytest.raises(DataError) as caught:
        load_skeleton("kinect25").joint("spine_shulder")

    assert str(caught.value) == "Skeleton 'kinect25' has no joint 'spine_shulder'; did you mean 'spine_shoulder'?"


def test_an_unknown_part_brings_the_allowed_ones() -> None:
    """An unknown part is refused, and the list of parts includes the two halves."""
    with pytest.raises(DataError) as caught:
        load_skeleton("kinect25").part("tail")

    words = "arms, hands, head, legs, lower, trunk, upper"
    assert str(caught.value) == f"Skeleton 'kinect25' has no part 'tail'; choose from {words}."


def test_an_unknown_layout_brings_the_nearest_name() -> None:
    """An unknown skeleton is refused with a suggestion."""
    with pytest.raises(DataError) as caught:
        load_skeleton("kinect52")

    assert str(caught.value) == "There is no skeleton 'kinect52'; did you mean 'kinect25'?"


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"joints": ("hub", "left", "left", "foot")}, "names a joint twice"),
        ({"bones": ((1, 0), (2, 0))}, "needs exactly one bone fewer than joints"),
        ({"bones": ((1, 0), (2, 0), (2, 1))}, "has joints that no chain of bones reaches"),
        ({"mirror": ((1, 2), (2, 3))}, "mirrors a joint twice"),
        ({"parts": {"trunk": (0, 1, 2)}}, "must list each joint in exactly one part"),
        ({"parts": {"trunk": (0, 1, 2, 3), "legs": (3,)}}, "must list each joint in exactly one part"),
        ({"axes": ("x", "y")}, "has axes that are neither x y z nor x y score"),
    ],
)
def test_a_layout_that_is_no_body_is_refused(changes: dict[str, object], fault: str) -> None:
    """A layout that breaks a rule is refused when it is made, in words."""
    with pytest.raises(DataError) as caught:
        star(**changes)

    assert str(caught.value) == f"Skeleton 'star' {fault}."


@pytest.mark.parametrize(
    "changes",
    [{"bones": ((1, 0), (2, 0), (9, 0))}, {"mirror": ((1, 9),)}, {"root": 9}, {"spine": -9}],
    ids=["bones", "mirror", "root", "spine"],
)
def test_a_joint_number_that_does_not_exist_is_refused(changes: dict[str, object]) -> None:
    """Bones, mirror pairs, root and spine name joints that exist."""
    with pytest.raises(DataError):
        star(**changes)


def test_a_layout_is_read_from_a_file_of_ones_own(tmp_path: Path) -> None:
    """A TOML file gives the skeleton it describes, named after the file."""
    path = tmp_path / "star.toml"
    path.write_text(STAR)

    assert read_skeleton(path) == star()


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (
            '["foot", "hub"]',
            '["fot", "hub"]',
            "Skeleton 'star' lacks or misspells 'fot'; see mgbench/skeletons/kinect25.toml",
        ),
        ('root = "hub"', "", "Skeleton 'star' lacks or misspells 'root'; see mgbench/skeletons/kinect25.toml"),
        ('root = "hub"', "root = hub", "Cannot read the skeleton "),
        ("joints = ", "bodies = ", "Skeleton 'star' lacks or misspells 'joints'; see mgbench/skeletons/kinect25.toml"),
        ('["foot", "hub"]', '["foot", ["hub"]]', "Skeleton 'star' has a value of the wrong kind ("),
        ('["foot", "hub"]', '["foot", "hub", "hub"]', "Skeleton 'star' has a value of the wrong kind ("),
    ],
)
def test_a_faulty_file_is_named(tmp_path: Path, old: str, new: str, expected: str) -> None:
    """A misspelt joint, a missing key and broken TOML are told apart."""
    path = tmp_path / "star.toml"
    path.write_text(STAR.replace(old, new))

    with pytest.raises(DataError) as caught:
        read_skeleton(path)

    assert str(caught.value).startswith(expected)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """A file that is not there is a `DataError` that names it."""
    with pytest.raises(DataError, match=r"Cannot read the skeleton '.*none\.toml'"):
        read_skeleton(tmp_path / "none.toml")


def test_equal_layouts_are_equal_and_hash_alike() -> None:
    """A skeleton is a value."""
    skeleton = load_skeleton("kinect25")
    copy = attrs.evolve(skeleton)

    assert copy == skeleton
    assert hash(copy) == hash(skeleton)


def test_body_parts_are_those_of_actclr() -> None:
    """Trunk, two arms, two legs on Kinect-25; a body without legs has three parts; no joint is in two of them."""
    trunk, left, right, *legs = (set(part) for part in load_skeleton("kinect25").body_parts)

    assert (trunk, left, right) == ({3, 2, 20, 1, 0}, {4, 5, 6, 7, 21, 22}, {8, 9, 10, 11, 23, 24})
    assert legs == [{12, 13, 14, 15}, {16, 17, 18, 19}]
    assert len(load_skeleton("imigue22").body_parts) == 3
    for name in skeleton_names():
        listed = [joint for part in load_skeleton(name).body_parts for joint in part]
        assert sorted(listed) == list(range(len(load_skeleton(name).joints)))
