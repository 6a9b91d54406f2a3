"""Where a cell's process stands: what it tells while it runs, what each stage took, and whether the cell is still its own."""

import time
from typing import Any

import attrs

from mgbench.lease import Lease
from mgbench.store import write_json
from mgbench.train import Progress
from mgbench.work import Place


class LostError(BaseException):
    """Another process has taken the lease: whatever this one does from now on is nobody's."""


@attrs.define
class Stage:
    """Tells where a run stands, and adds up the seconds of each stage."""

    place: Place
    lease: Lease
    seconds: dict[str, float] = attrs.field(factory=dict)
    origin: dict[str, Any] = attrs.field(factory=dict)
    stage: str = "prepare"
    began: float = attrs.field(factory=time.monotonic)
    scalars: Any = None

    def enter(self, stage: str) -> None:
        """Begin a stage; raise `LostError` where somebody else has the cell by now."""
        if not self.lease.held:
            raise LostError
        now = time.monotonic()
        self.seconds[self.stage] = self.seconds.get(self.stage, 0.0) + now - self.began
        self.stage, self.began = stage, now
        self.report(None)

    def report(self, progress: Progress | None) -> None:
        """Tell the stage, or a step of training, to whoever watches, and to the log."""
        told = {"stage": self.stage, **(attrs.asdict(progress) if progress else {})}
        write_json(self.place.folder.progress, told, durable=False)
        if progress is None:
            return
        print(  # noqa: T201 - the cell's log
            f"step {progress.step}/{progress.steps}  loss {progress.loss:.4g}  "
            f"{progress.clips_per_second:.0f} clips/s  {progress.seconds_left:.0f} s left",
            flush=True,
        )
        if self.place.tensorboard:
            self.draw(progress)

    def draw(self, progress: Progress) -> None:
        """Write TensorBoard's events."""
        if self.scalars is None:
            from torch.utils.tensorboard import SummaryWriter

            self.scalars = SummaryWriter(str(self.place.folder.tensorboard))
        self.scalars.add_scalar("loss", progress.loss, progress.step)
        self.scalars.add_scalar("clips_per_second", progress.clips_per_second, progress.step)
        self.scalars.flush()
