"""Kernels compiled for machines that are not there, and what the result tells: registers, stack, spills, shared memory, instructions."""

import os
import re
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import attrs
import triton
from triton.backends.compiler import GPUTarget

from mgbench.kernels.triton.launch import Machine, instead


_TARGETS: Final[dict[Machine, GPUTarget]] = {
    "sm_80": GPUTarget("cuda", 80, 32),
    "sm_90": GPUTarget("cuda", 90, 32),
    "gfx942": GPUTarget("hip", "gfx942", 64),
}
#: Seconds of processor time that a kernel may take to compile.
SECONDS: Final = 5.0
#: Bytes of shared memory that a program may have.
SHARED: Final[dict[Machine, int]] = {"sm_80": 163 * 1024, "sm_90": 227 * 1024, "gfx942": 64 * 1024}


@attrs.frozen
class Compiled:
    """One kernel, compiled.

    Args:
        kernel: its name.
        machine: that it was compiled for.
        constants: types of what it is given, and what it was specialised for: `rows%16` tells that 16 divides the number of rows.
        warps: of a program.
        registers: of a thread.
        stack: bytes of a thread beside them.
        spills: instructions that move registers to memory or back.
        shared: bytes of a program.
        dots: instructions of tensor cores: those of NVIDIA as PTX has them.
        multiplies: whether its source has a product of matrices.
        seconds: of processor time that compiling took; nearly none where it was in Triton's cache.
    """

    kernel: str
    machine: Machine
    constants: str
    warps: int
    registers: int
    stack: int
    spills: int
    shared: int
    dots: int
    multiplies: bool
    seconds: float

    @property
    def resident(self) -> int | None:
        """How many programs one of NVIDIA's processors holds at once, by its registers, shared memory and threads."""
        if self.machine == "gfx942":
            return None
        threads = 32 * self.warps
        room = [65536 // (self.registers * threads), 2048 // threads, 32]
        return min([*room, SHARED[self.machine] // self.shared] if self.shared else room)

    @property
    def faults(self) -> list[str]:
        """What breaks a limit, a few words each."""
        found = [f"{number} {what}" for what, number in (("bytes of stack", self.stack), ("spills", self.spills)) if number]
        found += [f"{self.shared} bytes of shared memory"] * (self.shared > SHARED[self.machine])
        found += [f"{self.seconds:.1f} seconds of compiling"] * (self.seconds > SECONDS)
        return found + ["no tensor cores"] * (self.multiplies and not self.dots)


class _Absent:
    """A driver for a machine that is not there: it tells what is compiled for, and launches nothing."""

    def __init__(self, machine: Machine) -> None:
        self._place, self._target = list(_TARGETS).index(machine), _TARGETS[machine]

    def get_current_target(self) -> GPUTarget:
        """Return what is compiled for."""
        return self._target

    def get_current_device(self) -> int:
        """Return a number of its own, since Triton keeps what it compiled by it."""
        return self._place

    def get_current_stream(self, device: int | None = None) -> int:
        """Return the only stream."""
        return 0


@contextmanager
def compiling(machine: Machine) -> Iterator[list[Compiled]]:
    """Compile whatever is launched within, for a machine; the list fills with what came of it, each kernel and its constants once.

    Tensors of the device `meta` do, since nothing is read or written.
    """
    known: set[str] = set()
    told: list[Compiled] = []

    def compile_it(kernel: Any, grid: tuple[int, ...], *arguments: object, **options: object) -> None:  # noqa: ANN401 - a Triton kernel
        began = sum(os.times()[:4])
        built = kernel.warmup(*arguments, grid=grid, **options)
        seconds = sum(os.times()[:4]) - began
        if built.hash not in known:
            known.add(built.hash)
            told.append(_read(built, kernel.__name__, machine, _constants(kernel, built, arguments, options), seconds))

    active, triton.runtime.driver._active = triton.runtime.driver._active, _Absent(machine)  # noqa: SLF001 - asking it would look for a GPU
    token = instead.set(compile_it)
    try:
        with triton.knobs.compilation.scope():
            triton.knobs.compilation.disable_line_info = True  # for debuggers; a fifth of the time goes into it
            yield told
    finally:
        instead.reset(token)
        triton.runtime.driver._active = active  # noqa: SLF001 - as above


def _constants(kernel: Any, built: Any, arguments: tuple[object, ...], options: dict[str, object]) -> str:  # noqa: ANN401 - Triton's
    """Return the types of what a kernel is given, what it was specialised for, and its constants, in words."""
    named = dict(zip(kernel.arg_names, arguments, strict=False)) | options
    types = dict.fromkeys(str(value.dtype).removeprefix("torch.") for value in named.values() if hasattr(value, "dtype"))
    numbers = {(place,): name for place, name in enumerate(kernel.arg_names) if type(named[name]) is int and not name.isupper()}
    ones = [f"{name}=1" for place, name in numbers.items() if place in built.src.constants]
    even = [f"{name}%16" for place, name in numbers.items() if ["tt.divisibility", 16] in built.src.attrs.get(place, [])]
    fixed = {name: value for name, value in named.items() if name.isupper() or name in {"num_warps", "maxnreg"}}
    return " ".join((*types, *ones, *even, *(f"{name}={value}" for name, value in fixed.items())))


def _read(built: Any, name: str, machine: Machine, constants: str, seconds: float) -> Compiled:  # noqa: ANN401 - Triton's
    """Return what the machine's assembly tells."""
    if machine == "gfx942":
        text = built.asm["amdgcn"]
        words = ("vgpr_count", "private_segment_fixed_size", "vgpr_spill_count")
        registers, stack, spills = (int(re.search(rf"\.{word}:\s+(\d+)", text)[1]) for word in words)  # type: ignore[index] # all are there
        dots = text.count("v_mfma")
    else:
        registers, stack, spills = _dumped(built.asm["cubin"])
        dots = len(re.findall(r"\b(?:wgmma\.mma_async|mma\.sync)", built.asm["ptx"]))
    shared, multiplies = built.metadata.shared, "tt.dot" in built.asm["ttir"]
    return Compiled(name, machine, constants, built.metadata.num_warps, registers, stack, spills, shared, dots, multiplies, seconds)


def _dumped(cubin: bytes) -> tuple[int, int, int]:
    """Return registers, stack and spills, as NVIDIA's tools in Triton's wheel tell them; without a stack there is nowhere to spill to."""
    tools = Path(triton.__file__).parent / "backends" / "nvidia" / "bin"
    with tempfile.NamedTemporaryFile(suffix=".cubin") as file:
        file.write(cubin)
        file.flush()
        found = re.search(r"REG:(\d+) STACK:(\d+) SHARED:\d+ LOCAL:(\d+)", _told(tools / "cuobjdump", "--dump-resource-usage", file.name))
        registers, stack, local = map(int, found.groups())  # type: ignore[union-attr] # all are there
        code = _told(tools / "nvdisasm", "-c", file.name) if stack or local else ""  # it takes as long as compiling
    return registers, stack + local, len(re.findall(r"\b(?:STL|LDL)\b", code))


def _told(*call: str | Path) -> str:
    return subprocess.run(call, capture_output=True, text=True, check=True).stdout
