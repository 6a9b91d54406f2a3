"""Components as text: what is written is read back, and what cannot be read is refused in words."""

from typing import Any, ClassVar, Literal

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mgbench_plugins.augmentations.csm import CentralSpatialMasking
from mgbench_plugins.augmentations.flip import Flip
from mgbench_plugins.augmentations.matm import MotionTemporalMasking
from mgbench_plugins.methods.mgrl import MGRL

from mgbench import Recipe, SpecError, spec
from mgbench.registry import registry


@attrs.frozen
class Step:
    """A stand-in for an augmentation."""

    name: ClassVar[str] = "step"

    count: int | None = None
    share: float = 0.5
    mode: Literal["batch", "clip"] = "batch"


@attrs.frozen
class Hop(Step):
    """Another one."""

    name: ClassVar[str] = "hop"

    inner: tuple[Step, ...] = ()


@attrs.frozen
class Way:
    """A stand-in for a method."""

    name: ClassVar[str] = "way"

    word: str = "plain"
    alias: str | None = None
    fast: bool = False
    sizes: tuple[int, ...] = (1, 2)
    pair: tuple[str, float] = ("a", 1.0)
    single: Step = Step()
    augment: tuple[Step, ...] = (Step(),)
    views: tuple[tuple[Step, ...], ...] = ((), (Hop(),))
    recipe: Recipe = attrs.field(default=Recipe(epochs=7))


KNOWN = {"step": Step, "hop": Hop, "way": Way}


def find(base: type, name: str) -> type:
    """Return a stand-in by name, as the registry would."""
    found = KNOWN[name]
    assert issubclass(found, base)
    return found


def expand(text: str, cls: type = Way) -> list[Any]:
    """Return the components that a text describes."""
    return list(spec.expand(cls, spec.read(text), find))


def message(text: str, cls: type = Way) -> str:
    """Return the words with which a text is refused."""
    with pytest.raises(SpecError) as caught:
        expand(text, cls)
    return str(caught.value)


numbers = st.floats(allow_nan=False)
words = st.text(st.sampled_from("ab1 ,=[]()+|:'\"\\\t\nä手-_.#"), max_size=8)
modes = st.sampled_from(["batch", "clip"])
steps = st.builds(Step, count=st.none() | st.integers(0, 10**6), share=numbers, mode=modes)
hops = st.builds(Hop, count=st.none() | st.integers(0, 9), inner=st.lists(steps, max_size=3).map(tuple))
pipelines = st.lists(steps | hops, max_size=3).map(tuple)
recipes = st.builds(
    Recipe,
    optimizer=st.sampled_from(["adam", "adamw", "sgd", "lbfgs"]),
    lr=st.floats(1e-9, 1e9),
    momentum=st.floats(0, 0.999),
    epochs=st.integers(0, 10**4),
)
ways = st.builds(
    Way,
    word=words,
    alias=st.none() | words,
    fast=st.booleans(),
    sizes=st.lists(st.integers(), max_size=4).map(tuple),
    pair=st.tuples(words, numbers),
    single=steps | hops,
    augment=pipelines,
    views=st.lists(pipelines, max_size=3).map(tuple),
    recipe=recipes,
)


@settings(max_examples=80, derandomize=True, deadline=None)
@given(ways)
def test_what_is_written_is_read_back(way: Way) -> None:
    """`parse(str(c)) == c` for any values, odd characters and nested pipelines, as does every parameter written out."""
    full = spec.Call("way", tuple(spec.write_full(way).items()))

    assert expand(spec.write(way)) == [way]
    assert list(spec.expand(Way, full, find)) == [way]


@pytest.mark.parametrize("word", ["[", "]", "a(b", "]]'[", "\\", "a\\", "\\,'\\", '"', "none", "true", "1", " a", ""])
def test_a_word_may_hold_anything(word: str) -> None:
    """Brackets, quotes, backslashes and words that mean something elsewhere are read back from a word."""
    assert expand(spec.write(Way(word=word, alias=word))) == [Way(word=word, alias=word)]


@settings(max_examples=40, derandomize=True, deadline=None)
@given(
    lambd=st.floats(0, 1e3),
    counts=st.lists(st.none() | st.integers(0, 12), min_size=1, max_size=3),
    share=st.floats(0, 1),
    rate=st.floats(1e-8, 10),
)
def test_installed_methods_are_read_back(lambd: float, counts: list[int | None], share: float, rate: float) -> None:
    """`parse(str(c)) == c` holds for a real method with real pipelines."""
    views = ((), *((CentralSpatialMasking(count=count), MotionTemporalMasking(frames=count)) for count in counts))
    method = MGRL(lambd=lambd, augment=(Flip(p=share, mode="mirror"),), views=views, recipe=Recipe(lr=rate))

    assert registry().parse("method", str(method)) == method


def test_a_component_of_defaults_is_its_name() -> None:
    """What does not differ from the defaults is not written."""
    assert spec.write(Way()) == "way"
    assert spec.write(Way(fast=True, recipe=Recipe(epochs=9))) == "way[fast=true,epochs=9]"


def test_both_forms_say_the_same() -> None:
    """Colon and bracket form give one component; spaces do not matter."""
    assert expand("way:epochs=50,lr=2e-4") == expand("way[epochs=50, lr=2e-4]")
    assert expand("way:epochs=50,lr=2e-4") == expand(" way [ epochs = 50,lr=2e-4 ]")


def test_a_recipes_keys_stand_beside_the_rest() -> None:
    """A key of the recipe changes that key alone."""
    (way,) = expand("way[lr=0.25]")

    assert way.recipe == Recipe(epochs=7, lr=0.25)


def test_pipelines_views_and_nesting() -> None:
    """`+` joins a pipeline, `|` separates views, `none` is the empty pipeline, brackets nest."""
    (way,) = expand("way[augment=none, views=none|step[count=none]+hop[inner=step[share=1]+step]|hop]")

    assert way.augment == ()
    assert way.views == ((), (Step(), Hop(inner=(Step(share=1.0), Step()))), (Hop(),))


def test_lists_sweep_and_tuples_do_not() -> None:
    """`[a,b]` gives one component a value, `(a,b)` is one value."""
    assert [way.sizes for way in expand("way[sizes=[(1,2),(3,4,5)]]")] == [(1, 2), (3, 4, 5)]
    assert [way.alias for way in expand("way[alias=[none,x]]")] == [None, "x"]


def test_sweeps_multiply() -> None:
    """Two sweeps give every combination, the last varying fastest."""
    found = [(way.recipe.epochs, way.fast) for way in expand("way[epochs=[1,2],fast=[true,false]]")]

    assert found == [(1, True), (1, False), (2, True), (2, False)]


def test_sweeps_within_a_nested_component_multiply_too() -> None:
    """A sweep inside a pipeline gives one method a value."""
    pipelines = [way.augment for way in expand("way[augment=step[count=[1,2]]+hop[count=[3,4]]]")]

    assert [(step.count, hop.count) for step, hop in pipelines] == [(1, 3), (1, 4), (2, 3), (2, 4)]


def test_a_list_of_pipelines_is_a_sweep_of_pipelines() -> None:
    """A sweep may list whole pipelines and whole sets of views."""
    assert [way.augment for way in expand("way[augment=[none,step,step+hop]]")] == [(), (Step(),), (Step(), Hop())]
    assert [way.views for way in expand("way[views=[none|step,hop]]")] == [((), (Step(),)), ((Hop(),),)]


def test_names_are_listed_with_commas() -> None:
    """Bracket forms and bare names may stand in one list; a colon form, with commas of its own, stands alone."""
    calls = spec.read_list("way, step[count=1,share=2] ,hop")

    assert [call.name for call in calls] == ["way", "step", "hop"]
    assert calls[1].arguments == (("count", "1"), ("share", "2"))
    assert spec.read_list("way:epochs=50,lr=1") == [spec.Call("way", (("epochs", "50"), ("lr", "1")))]


@pytest.mark.parametrize("text", ["step,way:epochs=50", "step[count=1],way:epochs=50,lr=1"])
def test_a_colon_form_in_a_list_is_refused(text: str) -> None:
    """Where its commas could mean two things, the colon form is refused."""
    with pytest.raises(SpecError) as caught:
        spec.read_list(text)

    fault = "holds the colon form 'way:epochs=50'; give it in an option of its own, or as name[key=value]."
    assert str(caught.value) == f"The list {text!r} {fault}"


def test_a_colon_inside_brackets_is_no_colon_form() -> None:
    """A value may hold a colon."""
    assert [way.word for way in expand("way[word='a:b']")] == ["a:b"]
    assert len(spec.read_list("way[word='a:b'],step")) == 2


NESTS = "nests values in colon form; write it as name[key=value, ...]."
NAMELESS = "is no plain name; write name, name:key=value or name[key=value, ...]."
GOES_ON = "goes on after its closing bracket; write name[key=value, ...]."
NO_PAIR = "which is not of the form key=value."


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        *((text, NESTS) for text in ("way:epochs=[1,2]", "way:views=none|step", "way:augment=step+hop")),
        *((text, NAMELESS) for text in ("", "[epochs=1]", ":epochs=1", "my way", "way;", "way+step")),
        *((text, GOES_ON) for text in ("way[epochs=1]x", "way[epochs=1],", "way[epochs=1] [lr=1] .")),
        ("way[50]", f"holds '50', {NO_PAIR}"),
        ("way[epochs=]", f"holds 'epochs=', {NO_PAIR}"),
        ("way[a b=1]", f"holds 'a b=1', {NO_PAIR}"),
        ("way[epochs=1,]", f"holds '', {NO_PAIR}"),
        ("way:=3", f"holds '=3', {NO_PAIR}"),
        ("way:lr=1,lr=2", "gives 'lr' twice; a sweep is written lr=[a,b]."),
    ],
)
def test_text_that_is_no_spec_is_refused(text: str, fault: str) -> None:
    """The refusal quotes the text and says what form was expected."""
    assert message(text) == f"The spec {text!r} {fault}"


@pytest.mark.parametrize(
    "text",
    [*("way[epochs=1", "way[", "way[epochs=1]]", "way[sizes=(1,2]", "way[sizes=1,2)]"), "way[word='a]", "way:word='a"],
)
def test_unbalanced_brackets_and_quotes_are_refused(text: str) -> None:
    """Every bracket and quote is closed once."""
    assert message(text).endswith(" has an unbalanced bracket or quote.")


def test_an_unknown_parameter_brings_the_nearest() -> None:
    """An unknown parameter is refused with a suggestion, or with the list where nothing is near."""
    assert message("way:epoch=1") == "way has no parameter 'epoch'; did you mean 'epochs'?"
    assert message("step:zzz=1", Step) == "step has no parameter 'zzz'; choose from count, mode, share."


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("way:epochs=many", "way[epochs] got 'many'; it takes a whole number."),
        ("way:epochs=1.5", "way[epochs] got '1.5'; it takes a whole number."),
        ("way:fast=yes", "way[fast] got 'yes'; it takes true or false."),
        ("way:lr=nan", "way[lr] got 'nan'; it takes a number."),
        ("way:lr=fast", "way[lr] got 'fast'; it takes a number."),
        ("way:epochs=none", "way[epochs] got 'none'; it takes a whole number."),
        ("way[sizes=3]", "way[sizes] got '3'; write a tuple as (a,b)."),
        ("way[pair=(a,1,2)]", "way[pair] got 3 values in '(a,1,2)'; it takes 2."),
        ("way[single=step[mode=clp]]", "step[mode] got 'clp'; did you mean 'clip'?"),
    ],
)
def test_a_value_of_another_type_is_refused(text: str, expected: str) -> None:
    """The refusal names the parameter, what was got, and what is taken."""
    assert message(text) == expected


def test_a_value_that_a_validator_refuses_is_a_spec_error() -> None:
    """A validator's words come with the component's name, be it the component's or its recipe's."""
    assert message("way:lr=-1") == "way: 'lr' must be > 0: -1.0"
    assert message("way[epochs=-1]") == "way: 'epochs' must be >= 0: -1"
    assert message("flip[p=2]", Flip) == "flip: 'p' must be <= 1: 2.0"


@pytest.mark.parametrize("text", ["way[word='a'b]", "way[word='a'+'b']", "way[fast='a'.x]"])
def test_text_behind_a_closing_quote_is_a_spec_error(text: str) -> None:
    """A quoted value is one string and nothing else."""
    assert message(text)


@pytest.mark.parametrize(
    ("kind", "text", "expected"),
    [
        ("method", "pstl[epochs=[1,2]]", "The spec 'pstl[epochs=[1,2]]' is a sweep of 2 components; one was expected."),
        ("augmentation", "shera", "There is no augmentation 'shera'; did you mean 'shear'?"),
    ],
)
def test_the_registry_expects_one_known_component(kind: str, text: str, expected: str) -> None:
    """A sweep is refused with its size, an unknown name with a suggestion."""
    with pytest.raises(SpecError) as caught:
        registry().parse(kind, text)

    assert str(caught.value) == expected
