"""How fast a whole training step is beside the straightforward one: `python tests/benchmarks/step.py [--batch 32,128] [--rounds 3]`.

One thread, processor time, all sides in turn in every round, in one process and so with one set of malloc's settings; the table names
them, since they matter as much as code where large tensors come and go. The shapes are PSTL's: two people, 50 frames, 25 joints, 6144
features.
"""

import argparse
import os
import statistics
import time
from collections import defaultdict
from collections.abc import Callable

import torch
from made import SKELETON, make_clips, make_pair
from mgbench_plugins.encoders.stgcn import STGCN
from mgbench_plugins.methods.mgrl import MGRL
from mgbench_plugins.methods.pstl import PSTL
from straightforward import draw_batch as draw_one_by_one

from mgbench import Method
from mgbench.train import draw_batch, make_optimizer


def sides(method: Method, batch: int) -> dict[str, Callable[[], None]]:
    """Return a step of each kind."""
    data = make_clips(batch)
    order = torch.arange(batch)
    objective, straight, _ = make_pair(method, STGCN())
    optimizer = make_optimizer(method.recipe, list(objective.parameters()))
    plain = torch.optim.Adam(straight.parameters(), method.recipe.lr, weight_decay=method.recipe.weight_decay, foreach=False, fused=False)
    generator = torch.Generator().manual_seed(0)
    losses = torch.zeros(1)

    def ours(*, bf16: bool) -> None:
        drawn = draw_batch(method, data, order, SKELETON, generator)
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            loss = objective(drawn, generator)["loss"]
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        losses[0] = loss.detach()

    def theirs() -> None:
        loss = straight(draw_one_by_one(method, data, order, SKELETON, generator))
        plain.zero_grad()
        loss.backward()
        plain.step()
        losses[0] = loss.item()

    return {"straightforward": theirs, "fp32": lambda: ours(bf16=False), "bf16": lambda: ours(bf16=True)}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batch", default="32,128")
    parser.add_argument("--methods", default="mgrl,pstl")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    known = {"mgrl": MGRL(), "pstl": PSTL()}
    malloc = {key: value for key, value in os.environ.items() if key.startswith("MALLOC_")} or "default"
    print(f"torch {torch.__version__}, one thread, malloc {malloc}, load {os.getloadavg()[0]:.1f}\n")
    print("| method | batch | step | seconds, least | median | straightforward / it, least | median |\n|---|---|---|---|---|---|---|")
    for name in arguments.methods.split(","):
        for batch in map(int, arguments.batch.split(",")):
            seconds: dict[str, list[float]] = defaultdict(list)
            steps = sides(known[name], batch)
            for turn in range(arguments.rounds + 1):
                for side, step in steps.items():
                    began = time.process_time()
                    step()
                    if turn:
                        seconds[side].append(time.process_time() - began)
            for side, taken in seconds.items():
                plain = seconds["straightforward"]
                ratios = (min(plain) / min(taken), statistics.median(plain) / statistics.median(taken))
                figures = f"{min(taken):.2f} | {statistics.median(taken):.2f} | {ratios[0]:.2f} | {ratios[1]:.2f}"
                print(f"| {name} | {batch} | {side} | {figures} |", flush=True)


if __name__ == "__main__":
    main()
