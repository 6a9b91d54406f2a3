"""NTU RGB+D: the text format both readers agree on, two people by body ID, and malformed files told in words."""

import re
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mgbench_plugins.datasets import skeleton_text
from mgbench_plugins.datasets.ntu60 import Ntu60
from mgbench_plugins.datasets.skeleton_lines import Recording, read_lines
from mgbench_plugins.datasets.skeleton_text import read_recording
from ntu_files import ID, SPLITS, Frames, as_text, checked, frames, joints, write

from mgbench import DataError
from mgbench.paths import dataset_folder


def both(path: Path) -> Recording:
    """Read a file quickly, and line by line, and return the one after it was held against the other."""
    quick, slow = skeleton_text._read_fast(path.read_bytes()), read_lines(path, path.read_bytes())
    assert quick is not None
    assert (quick.frames, quick.frame.tolist(), quick.body) == (slow.frames, slow.frame.tolist(), slow.body)
    np.testing.assert_array_equal(quick.x, slow.x)
    return quick


@pytest.fixture
def real(data_folder: Path) -> Path:
    """The folder of real recordings in this format."""
    return dataset_folder(Ntu60(), data_folder / "format_fixtures")


@pytest.mark.data
def test_the_fixtures_load(real: Path) -> None:
    """Real recordings in NTU's text give the clips that their names say, number for number."""
    train, test = (checked(Ntu60().load(split, real)) for split in SPLITS)
    assert (train.label.tolist(), train.subject.tolist()) == ([0, 2, 4, 6, 57, 0, 2, 4, 6], [1] * 5 + [2] * 4)
    assert (test.clip, test.label.tolist(), test.subject.tolist()) == (("S001C001P003R001A007",), [6], [3])
    assert train.frames.tolist() == [31, 40, 38, 40, 25, 40, 40, 40, 40]
    lines = (real / "S001C001P003R001A007.skeleton").read_text().splitlines()
    np.testing.assert_array_equal(test[0][0, 0, 24], np.float32(lines[28].split()[:3]))
    np.testing.assert_array_equal(test[0][-1, 0, 0], np.float32(lines[-25].split()[:3]))
    assert not test[0][:, 1].any()


@pytest.mark.data
def test_the_fixture_of_two_people_has_them_where_they_were_seen(real: Path) -> None:
    """Frames of no, one and two bodies become zeros and people, whom their IDs tell apart."""
    path = real / "S001C002P001R002A058.skeleton"
    recording = both(path)
    people = read_recording(path).persons()
    seen = people.any(axis=(2, 3))
    counts = np.bincount(recording.frame, minlength=recording.frames)
    assert sorted(set(counts.tolist())) == [0, 1, 2]
    assert seen.sum(axis=1).tolist() == counts.tolist()
    first, second = (recording.x[[one == body for one in recording.body]] for body in dict.fromkeys(recording.body))
    assert {len(first), len(second)} == set(seen.sum(axis=0).tolist())


@pytest.mark.data
def test_every_fixture_is_read_quickly(real: Path) -> None:
    """The quick reader takes what is in the owners' form, and gives what reading line by line gives."""
    for path in real.glob("*.skeleton"):
        both(path)


@settings(derandomize=True, deadline=None, max_examples=25, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(drawn=frames(), number=st.sampled_from(["{!r}", "{:.7g}", "{:.7f}", "{:E}"]), end=st.sampled_from(["\n", "\r\n"]))
def test_what_is_written_is_read(drawn: Frames, number: str, end: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Frames, bodies of 64 bits and coordinates come back as they were written, whichever way numbers and line ends are."""
    path = write(tmp_path_factory.mktemp("ntu") / "x.skeleton", as_text(drawn, number).replace("\n", end))
    recording = both(path)
    assert recording.frames == len(drawn)
    assert list(zip(recording.frame.tolist(), recording.body, strict=True)) == [(i, b) for i, own in enumerate(drawn) for b, _ in own]
    for read, (_, written) in zip(recording.x, [body for own in drawn for body in own], strict=True):
        np.testing.assert_array_equal(read, [[np.float32(float(number.format(value))) for value in row] for row in written.tolist()])


@pytest.mark.parametrize("change", ["spaces", "ends", "tabs", "blank", "outside", "plus", "no end", "mark"])
def test_harmless_variants_load(change: str, tmp_path: Path) -> None:
    """Other spaces, a point outside an image, a plus, a byte-order mark, and blank or missing line ends at the end change nothing."""
    frames: Frames = [[(ID, joints(0))], [], [(ID, joints(1))]]
    text = as_text(frames)
    changed = {
        "spaces": text.replace(" ", "  "),
        "ends": text.replace("\n", " \n"),
        "tabs": text.replace(" ", "\t"),
        "blank": text + "\r\n\n",
        "outside": text.replace(" 277.419", " NaN").replace(" 1e3", " -Infinity"),
        "plus": text.replace(" 2\n", " +2\n"),
        "no end": text[:-1],
        "mark": "\ufeff" + text,
    }
    recording = read_recording(write(tmp_path / "x.skeleton", changed[change]))
    assert recording.frame.tolist() == [0, 2]
    np.testing.assert_array_equal(recording.x, np.float32([joints(0), joints(1)]))


def test_a_cut_recording_is_refused(tmp_path: Path) -> None:
    """A file cut off at any of fifty places names itself and its rule; only the last line end, after which nothing stands, can go."""
    text = as_text([[(ID, joints(0)), (ID + 1, joints(1))], [], [(ID, joints(2))]])
    for end in np.random.default_rng(0).choice(len(text) - 1, 50, replace=False):
        path = write(tmp_path / "x.skeleton", text[:end])
        with pytest.raises(DataError, match=rf"^{re.escape(repr(str(path)))}(, line \d+ | ends after line \d+, where )"):
            read_recording(path)
        assert skeleton_text._read_fast(path.read_bytes()) is None


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            "2\n1\n",
            "3\n1\n",
            " ends after line 57, where the number of bodies in frame 3 of 3 should follow; copy the file again if it is cut off.",
        ),
        ("2\n1\n", "1\n1\n", ", line 29 is the last of 1 frames, but 28 lines follow; the number of frames or of bodies is wrong."),
        ("2\n1\n", "0\n1\n", ", line 1 states no frame; a recording has at least one."),
        ("2\n1\n", "2\n0\n", ", line 3 has 10 columns; the number of bodies in frame 2 of 2 has 1: copy the file again if it is cut off."),
        ("2\n1\n", "2\n-1\n", ", line 2 holds '-1'; the number of bodies in frame 1 of 2 is a whole number of 64 bits."),
        ("\n25\n", "\n24\n", ", line 4 states 24 joints; a body has 25."),
        (f"{ID}", f"{ID}.0", f", line 3 holds '{ID}.0'; a body ID is a whole number of 64 bits."),
        (f"{ID}", f"{2**64}", f", line 3 holds '{2**64}'; a body ID is a whole number of 64 bits."),
        (f"{ID} 0 ", f"{ID} ", ", line 3 has 9 columns; the line of a body has 10: copy the file again if it is cut off."),
        (" 277.419 ", " ", ", line 5 has 11 columns; the line of a joint has 12: copy the file again if it is cut off."),
        (" 277.419 ", "  ", ", line 5 has 11 columns; the line of a joint has 12: copy the file again if it is cut off."),
        ("1.1 2.2 3.3", "nan 2.2 3.3", ", line 5 holds 'nan'; it must be a finite number, but for places in an image."),
        ("1.1 2.2 3.3", "1.1 inf 3.3", ", line 5 holds 'inf'; it must be a finite number, but for places in an image."),
        ("1.1 2.2 3.3", "1.1 2.2 1e39", ", line 5 holds '1e39'; it must be a finite number, but for places in an image."),
        ("1.1 2.2 3.3", "1.1 2.2.2 3.3", ", line 5 holds '2.2.2'; it must be a finite number, but for places in an image."),
        ("1.1 2.2 3.3", "1-1 2.2 3.3", ", line 5 holds '1-1'; it must be a finite number, but for places in an image."),
        ("1.1 2.2 3.3", "- 2.2 3.3", ", line 5 holds '-'; it must be a finite number, but for places in an image."),
        ("1.1 2.2 3.3", "E 2.2 3.3", ", line 5 holds 'E'; it must be a finite number, but for places in an image."),
        ("1.1 2.2 3.3", "1_0 2.2 3.3", ", line 5 holds '1_0'; it must be a finite number, but for places in an image."),
        (" 5.1E-05 ", " NaN ", ", line 5 holds 'NaN'; it must be a finite number, but for places in an image."),
        (" 277.419 ", " place ", ", line 5 holds 'place'; it must be a finite number, but for places in an image."),
    ],
)
def test_a_malformed_recording_names_file_line_and_rule(old: str, new: str, said: str, tmp_path: Path) -> None:
    """Counts that do not add up, lines of other lengths, and coordinates that are no finite numbers are refused."""
    x = joints(0)
    x[0] = 1.1, 2.2, 3.3
    path = write(tmp_path / "x.skeleton", as_text([[(ID, x)], [(ID, joints(1))]]).replace(old, new, 1))
    with pytest.raises(DataError, match=f"^{re.escape(repr(str(path)) + said)}$"):
        read_recording(path)


def test_a_body_is_there_once_in_a_frame(tmp_path: Path) -> None:
    """Two bodies of one ID in one frame are refused."""
    path = write(tmp_path / "x.skeleton", as_text([[(ID, joints(0)), (ID, joints(1))]]))
    with pytest.raises(DataError, match=f"line 30 repeats the body {ID}; each is there once in a frame"):
        read_recording(path)


@pytest.mark.parametrize("text", [f"{10**10}\n", f"{10**10}\n0\n", f"1\n{10**10}\n", f"{10**10}\n" + "0\n" * 400, "9" * 5000, ""])
def test_a_count_alone_takes_no_memory(text: str, tmp_path: Path) -> None:
    """A header that claims billions of frames or bodies is refused for a small file's price."""
    path = write(tmp_path / "x.skeleton", text)
    tracemalloc.start()
    try:
        with pytest.raises(DataError, match=r"x\.skeleton'(, line \d+ | ends after line \d+)"):
            read_recording(path)
        assert tracemalloc.get_traced_memory()[1] < 10**6
    finally:
        tracemalloc.stop()


def test_bodies_keep_their_places_when_their_order_changes(tmp_path: Path) -> None:
    """People are told apart by all 64 bits of their IDs; the one who moves most is the first, whoever is listed first."""
    calm, lively = ID, ID + 1
    assert float(calm) == float(lively)
    x = [joints(seed, spread) for seed, spread in ((0, 0.1), (1, 2.0), (2, 2.0), (3, 0.1))]
    frames: Frames = [[(calm, x[0]), (lively, x[1])], [(lively, x[2]), (calm, x[3])]]
    people = read_recording(write(tmp_path / "x.skeleton", as_text(frames))).persons()
    np.testing.assert_array_equal(people, np.float32([[x[1], x[0]], [x[2], x[3]]]))


@pytest.mark.parametrize(("step", "main"), [(1.0, "lively"), (3.0, "walker")])
def test_the_main_body_is_that_of_largest_variance(step: float, main: str, tmp_path: Path) -> None:
    """Variances of x, y and z over all joints and frames are added up, as the owners have it: 1.08 here, and 0.27 + step ** 2 / 4."""
    rest, lively = joints(0), joints(1)
    lively, rest = 0.6 * (lively - lively.mean(0)) / lively.std(0), 0.3 * (rest - rest.mean(0)) / rest.std(0)
    moved = rest + np.array([step, 0, 0])
    people = read_recording(write(tmp_path / "x.skeleton", as_text([[(1, rest), (2, lively)], [(1, moved), (2, lively)]]))).persons()
    expected = {"lively": [lively, lively], "walker": [rest, moved]}[main]
    np.testing.assert_array_equal(people[:, 0], np.float32(expected))


def test_a_person_who_is_found_again_stays_one(tmp_path: Path) -> None:
    """A body that is never seen beside the first becomes the first; there is no room for a third beside two."""
    x = [joints(seed, 1 + seed) for seed in range(5)]
    frames: Frames = [[(1, x[4])], [], [(2, x[3])], [(2, x[3]), (3, x[1])], [(2, x[3]), (3, x[1]), (4, x[0])]]
    people = read_recording(write(tmp_path / "x.skeleton", as_text(frames))).persons()
    zero = np.zeros((25, 3))
    expected = [[x[4], zero], [zero, zero], [x[3], zero], [x[3], x[1]], [x[3], x[1]]]
    np.testing.assert_array_equal(people, np.float32(expected))
