"""Bad input: one sentence, exit status 2, no traceback, nothing half-written."""

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result


Command = Callable[..., Result]
ZOO = Path(__file__).parent / "zoo.py"
BAD = {
    "unknown_method": (["-m", "mgrll"], "There is no method 'mgrll'; did you mean 'mgrl'?"),
    "unknown_dataset": (["-d", "wmtf", "-m", "mgrl"], "There is no dataset 'wmtf'; did you mean 'wmft'?"),
    "unknown_parameter": (["-m", "mgrl:lamda=1"], "mgrl has no parameter 'lamda'; did you mean 'lambd'?"),
    "unknown_recipe_key": (["-m", "mgrl:epoch=1"], "mgrl has no parameter 'epoch'; did you mean 'epochs'?"),
    "wrong_type": (["-m", "mgrl:epochs=many"], "mgrl[epochs] got 'many'; it takes a whole number."),
    "out_of_range": (["-m", "mgrl:lr=-1"], "mgrl: 'lr' must be > 0: -1.0"),
    "wrong_word": (["-m", "mgrl:attention=tim"], "mgrl[attention] got 'tim'; did you mean 'time'?"),
    "unbalanced": (["-m", "mgrl[lr=(1"], "The spec 'mgrl[lr=(1' has an unbalanced bracket or quote."),
    "colon_in_list": (
        ["-m", "pstl,mgrl:lr=1"],
        "The list 'pstl,mgrl:lr=1' holds the colon form 'mgrl:lr=1'; give it in an option of its own",
    ),
    "unknown_stream": (["-m", "mgrl", "--stream", "bones"], "There is no stream 'bones'; did you mean 'bone'?"),
    "unknown_preprocessing": (["-m", "mgrl", "--preprocess", "frame5"], "There is no preprocessing 'frame5'; did you mean 'frame50'?"),
    "bad_seeds": (["-m", "mgrl", "--seeds", "many"], "--seeds got 'many'; write how many, such as 3, or a list such as [3,7]."),
    "unwritable_store": (["-d", "waves", "-m", "mgrl", "--store", "/proc/runs"], "Cannot write to '/proc/runs/"),
    "no_such_plugin": (["-m", "mgrl", "--plugin", "missing.py"], "The plugin file 'missing.py' is no existing .py file."),
    "nan": (["-d", "waves:fault=nan", "-m", "mgrl"], "waves train, clip 'train-3', frame 2 has a coordinate that is not finite."),
    "empty_clip": (["-d", "waves:fault=empty", "-m", "mgrl"], "waves train, clip 'train-3' is empty; a clip needs at least one frame."),
    "label": (["-d", "waves:fault=label", "-m", "mgrl"], "waves train, clip 'train-2' has class number 5; allowed are 0 to 4."),
    "missing_data": (["-d", "wmft", "-m", "mgrl", "--data-root", "nowhere"], "The data of 'wmft' is missing: "),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_told_in_one_sentence(name: str, mgbench: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was got, what is allowed, exit status 2 and no traceback; no packed data is left behind."""
    monkeypatch.chdir(tmp_path)
    arguments, sentence = BAD[name]
    done = mgbench("run", "--plugin", ZOO, *arguments)

    assert done.exit_code == 2, done.output
    assert f"Error: {sentence}" in done.stderr
    assert "Traceback" not in done.output
    assert not list(tmp_path.glob("runs/data/*/train"))


def test_unknown_component_to_show(mgbench: Command) -> None:
    """`show` suggests the nearest name."""
    done = mgbench("show", "mgr")

    assert done.exit_code == 2
    assert done.stderr == "Error: There is no component 'mgr'; did you mean 'mgrl'?\n"


def test_unknown_option_is_a_usage_error(mgbench: Command) -> None:
    """The errors of click itself exit with 2 as well."""
    assert mgbench("run", "--metod", "mgrl").exit_code == 2
