"""How a training computes: its precision, and whether its steps are compiled or recorded; what needs a GPU is refused without one."""

from collections.abc import Iterator
from contextlib import contextmanager

import attrs

from mgbench.components import Precision
from mgbench.errors import SpecError
from mgbench.grid import Run


@attrs.frozen
class Arithmetic:
    """How a training computes.

    Args:
        precision: `fp32`; `tf32`, which multiplies float32 with the digits that tensor cores take; `bf16`, by autocast.
        compile: whether the objective goes through `torch.compile`, every shape by itself.
        capture: whether steps are recorded as CUDA graphs and replayed.
    """

    precision: Precision = "fp32"
    compile: bool = False
    capture: bool = False

    def check(self, *, gpu: bool) -> None:
        """Raise `SpecError` where a machine with a GPU or without one cannot compute so."""
        wanted = [word for word, asked in (("--precision tf32", self.precision == "tf32"), ("--capture", self.capture)) if asked]
        if wanted and not gpu:
            msg = f"{' and '.join(wanted)} got a machine without a GPU; leave {'them' if len(wanted) > 1 else 'it'} out, or run on one."
            raise SpecError(msg)

    @contextmanager
    def within(self) -> Iterator[None]:
        """Multiply and convolve float32 as the precision says, which torch by itself does not of convolutions on a GPU."""
        import torch  # whoever only checks needs none

        before = torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32
        torch.set_float32_matmul_precision("high" if self.precision == "tf32" else "highest")
        torch.backends.cudnn.allow_tf32 = self.precision == "tf32"
        try:
            yield
        finally:
            torch.set_float32_matmul_precision(before[0])
            torch.backends.cudnn.allow_tf32 = before[1]


def arithmetic_of(run: Run) -> Arithmetic:
    """Return how the trainings of a run compute."""
    return Arithmetic(run.precision, run.compile, run.capture)
