"""What is measured: bytes counted by hand, equal numbers of calls, layouts, and limits that nothing passes."""

from collections import Counter
from collections.abc import Callable

import attrs
import pytest
import torch
from torch import Tensor

from mgbench.kernels import cross_correlation, measure
from mgbench.kernels.cases import CASES, Case, Form, graph_case, loss_case, temporal_case
from mgbench.kernels.measure import Ceilings, bench, errors, peak, peak_memory, times


SMALL = graph_case(2, 3, 5, 3, 4)
MACHINE = Ceilings({2**14: 8e10, 2**20: 6e10, 2**28: 1e10}, {"fp32": 1e11})

X = torch.ones(1000, 250)  # a million bytes
PEAKS: dict[str, tuple[int, Callable[[], object]]] = {
    "a result that is kept": (1, lambda: X + X),
    "two at once": (2, lambda: (X + X, X + X)),
    "one after the other": (1, lambda: [float((X + X)[0, 0]) for _ in range(3)]),
    "a temporary and a result": (2, lambda: X + X + X),
    "a temporary that is freed before the next": (2, lambda: X + X + X + X),
    "in place": (1, lambda: (X + X).add_(X)),
    "a view": (0, lambda: X.T),
}


@pytest.mark.parametrize("name", PEAKS)
def test_memory_is_what_is_counted_by_hand(name: str) -> None:
    """Bytes held at once, to within the few that a number takes; what lay there before counts for nothing."""
    expected, call = PEAKS[name]

    assert peak(call) == pytest.approx(expected * 1_000_000, abs=256)


def test_memory_of_a_form_is_value_and_gradients() -> None:
    """Inputs are not counted, and the gradient of a sum is one number, seen from afar."""
    case = attrs.evolve(SMALL, draw=lambda: (torch.ones(1, 1, 1, 10_000, dtype=torch.float64),), forms={"sum": Form(torch.sum)})

    assert peak_memory(case, "sum", "fp32") < 1000
    assert peak_memory(attrs.evolve(case, forms={"square": Form(torch.square)}), "square", "fp32") >= 3 * 40_000


@pytest.mark.parametrize(("clips", "features", "least"), [(32, 1024, 5), (128, 1024, 3), (128, 4096, 20)])
def test_the_loss_holds_little_beside_its_gradient(clips: int, features: int, least: float) -> None:
    """Ours holds three gradients and what is worked on at a time; the definition matrices of D x D, several at once."""
    case = loss_case(clips, features)
    ours, theirs = (peak_memory(case, form, "fp32") for form in ("mgbench", "reference"))

    assert ours < 3 * 4 * clips * features + 4 * 4 * 3 * cross_correlation._BLOCK
    assert theirs > max(least * ours, 4 * 4 * features**2)


def test_every_form_is_called_equally_often() -> None:
    """In a turn the slow one has as many calls as the quick one, and those of the quick one fill some milliseconds."""
    count: Counter[str] = Counter()

    def calling(name: str, busy: int) -> Form:
        def compute(x: Tensor, *_: Tensor) -> Tensor:
            count[name] += 1
            for _ in range(busy):
                x = x + 1
            return x

        return Form(compute)

    case = attrs.evolve(SMALL, forms={"slow": calling("slow", 400), "quick": calling("quick", 1)})
    taken = times(case, case.forms, torch.float32, "forward", rounds=3)

    assert [len(rounds) for rounds in taken.values()] == [3, 3]
    assert abs(count["slow"] - count["quick"]) == 1  # that of the quickest by which the number is chosen
    assert count["slow"] > 3 * 5


@pytest.mark.parametrize("case", [SMALL, temporal_case(2, 5, 3, 4), temporal_case(2, 5, 3, 4, 2)], ids=lambda case: case.name)
def test_each_form_has_its_own_layout(case: Case) -> None:
    """The reference gets contiguous clips with channels first, ours with channels last; numbers are compared in one layout."""
    seen = {}

    def watching(name: str, form: Form) -> Form:
        def compute(x: Tensor, *others: Tensor) -> Tensor:
            seen[name] = x
            return form.compute(x, *others)

        return attrs.evolve(form, compute=compute)

    case = attrs.evolve(case, forms={name: watching(name, form) for name, form in case.forms.items()})
    found = errors(case, torch.float64)

    assert all(measure.within(error, torch.float64) for error in found.values())
    assert seen["reference"].shape == seen["mgbench"].permute(0, 3, 1, 2).shape
    assert all(x.is_contiguous() for x in seen.values())


def test_no_speed_is_told_beside_a_reference_that_is_wrong() -> None:
    """Rows of sound forms say why they have none."""
    wrong = attrs.evolve(SMALL.forms["reference"], compute=lambda *given: 1.01 * SMALL.forms["reference"].compute(*given).float())
    case = attrs.evolve(SMALL, forms={"reference": wrong, "mgbench": SMALL.forms["mgbench"]})
    measured = errors

    def as_if_the_truth_were_known(_: Case, dtype: torch.dtype) -> dict[str, tuple[float, float]]:
        return {"reference": (0.01, 0.01), "mgbench": measured(SMALL, dtype)["mgbench"]}

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(measure, "errors", as_if_the_truth_were_known)
        rows = {row.form: row for row in bench(case, "fp32", "both", 1, MACHINE)}

    assert {form: (row.sound, row.least, row.why) for form, row in rows.items()} == {
        "reference": (False, None, "wrong"),
        "mgbench": (True, None, "reference is wrong"),
    }


@pytest.mark.parametrize(
    ("touched", "speed"), [(1, 8e10), (2**14, 8e10), (2**15, 6e10), (2**20, 6e10), (2**22, 1e10), (2**28, 1e10), (2**40, 1e10)]
)
def test_the_ceiling_of_copies_is_that_of_their_size(touched: int, speed: float) -> None:
    """What fits in cache is held against a copy that does, never against a slower one."""
    assert MACHINE.copying(touched) == speed


def test_the_least_work_is_that_counted_by_hand() -> None:
    """Taps on padding, halves of symmetric products and rows that a stride leaves out are no work; inputs are read by all."""
    strided, plain = (temporal_case(2, 5, 3, 4, stride).work for stride in (2, 1))

    assert loss_case(32, 128).work["both"].flops == 9 * 32**2 * 128
    assert loss_case(512, 128).work["both"].flops == 12 * 512 * 128**2
    assert loss_case(32, 128).work["both"].traffic == 9 * 32 * 128 + 2
    assert strided["forward"].flops == 2 * (5 + 5 + 5) * 2 * 3 * 4**2  # of five frames every tap within four meets all
    assert strided["forward"].traffic == (5 + 3) * 2 * 3 * 4 + 9 * 4**2 + 4
    assert strided["both"].traffic - strided["forward"].traffic == (2 * 5 + 3) * 2 * 3 * 4 + 2 * (9 * 4**2 + 4)
    assert plain["both"].flops <= 3 * 2 * 25 * 2 * 3 * 4**2
    assert all(case.work["forward"].flops < case.work["both"].flops for case in CASES)
