"""Check that a rival's model is the same as ours; otherwise a ratio of seconds means nothing.

From the same initial weights, on the same batches and without dropout, the losses of the first
steps must agree: this compares the model, its gradient, the optimizer and its schedule. Rivals with
random batches use the module and the loop whose losses were compared on our batches.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

import click

from benchmarks import processes, rivals

STEPS = 20  # whose losses are compared
TOLERANCE = 2e-3  # of a loss near 0.7: float32 sums in other orders, through Adam's division
# Rivals that run the loop of another one on other batches.
SAME_LOOP = {
    "PyTorch eager, random batches": "PyTorch eager, our batches",
    "torch.compile, random batches": "torch.compile, our batches",
}


def first_losses(rival: str, settings: dict, folder: Path) -> list[float]:
    """Return the losses of the first steps without dropout, on our batches."""
    cell = rivals.cell_of(**settings).replace({"dropout": 0.0})
    data = rivals.data_of(cell, folder)
    if rival == rivals.TRAINER:
        from benchmarks.trainer import losses

        weights = rivals.first_weights(cell, data, folder)
        return losses(cell, data, weights, rivals.our_batches(cell, data)[:STEPS])
    training = rivals.RIVALS[rival](cell, data, folder)
    return [training.advance(1) for _ in range(STEPS)]


def differences(
    names: Iterable[str], settings: dict, folder: Path, cache: Path, limit: float
) -> dict[str, float | None]:
    """Return the largest difference of a first loss from ours by rival, or None if it failed.

    Args:
      names: of rivals.
      settings: those of `rivals.cell_of`; steps are raised to `STEPS`.
      folder: of data and first weights.
      cache: of compiled programs.
      limit: seconds that a rival may take.
    """
    settings = settings | {"steps": max(settings["steps"], STEPS)}
    wanted = ["ours", *dict.fromkeys(SAME_LOOP.get(name, name) for name in names)]
    losses = {}
    for rival in dict.fromkeys(wanted):
        click.echo(f"are the losses those of ours? {rival}", err=True)
        task = [rival, settings, str(folder)]
        began = processes.start("benchmarks.agreement", task, cache=cache, limit=limit)
        ended = processes.wait([began])[0]
        if ended.fault:
            click.echo(f"  {ended.fault}", err=True)
        losses[rival] = None if ended.fault else ended.said[-1]
    ours = losses.pop("ours")
    return {
        rival: max(abs(a - b) for a, b in zip(ours, those, strict=True)) if ours and those else None
        for rival, those in losses.items()
    }


def difference(rival: str, found: Mapping[str, float | None]) -> float | None:
    """Return the difference of a rival, or that of the loop that it shares."""
    return found.get(SAME_LOOP.get(rival, rival))


def same(rival: str, found: Mapping[str, float | None]) -> bool:
    """Tell whether a ratio to this rival means anything."""
    apart = difference(rival, found)
    return rival == "ours" or (apart is not None and apart <= TOLERANCE)


@click.command()
@click.option("--task", required=True)
def main(task: str) -> None:
    """Run one process of the comparison."""
    _, (rival, settings, folder) = processes.begin(task)
    print(json.dumps(first_losses(rival, settings, Path(folder))))


if __name__ == "__main__":
    main()
