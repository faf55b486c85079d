"""The time per step that AdamW as one formula per array saves over the chain of Optax.

    python -m benchmarks.fused_adamw               nine rounds of 300 steps of a default cell
    python -m benchmarks.fused_adamw --rounds 3 --steps 100

Both are whole training programs in one process, run in turn; the order alternates between rounds.
It prints how much longer a step takes with the chain: median and quartiles over the rounds.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path
from unittest import mock

import click
import jax
import jax.numpy as jnp

from attn_nlp.experiment import Cell
from attn_nlp.train import program, stepper
from attn_nlp.train.loop import Run
from benchmarks.rivals import data_of


def chained(cell: Cell, numeric, rate) -> stepper.Stepper:
    """Return a stepper that runs `adamw` through Optax alone."""
    import optax

    from attn_nlp.train.optimizers import adamw, matrices

    own = adamw(rate, numeric["weight_decay"], matrices, 0.9, 0.999, 1e-8)
    chain = optax.chain(optax.clip_by_global_norm(numeric["clip"]), own)

    def update(params, grads, state, step):
        updates, state = chain.update(grads, state, params)
        return optax.apply_updates(params, updates), state

    return stepper.Stepper(chain.init, update)


@click.command()
@click.option("--rounds", default=9, type=click.IntRange(2))
@click.option("--steps", default=300, type=click.IntRange(1))
def main(rounds: int, steps: int) -> None:
    """Print what the fused AdamW saves."""
    cell = Cell(steps=steps)
    with tempfile.TemporaryDirectory() as folder:
        prepared = data_of(cell, Path(folder))
        makers = {"fused": stepper.stepper_of, "chain": chained}
        runs = {}
        for name, maker in makers.items():
            with mock.patch.object(program, "stepper_of", maker):
                made = program.Program(cell, prepared, name)
                runs[name] = Run(made, cell, prepared, lambda _: None)
                _ = made.train
        clock, processor = [], []
        for turn in range(rounds):
            spent = {}
            for name in sorted(runs, reverse=bool(turn % 2)):
                with mock.patch.object(program, "stepper_of", makers[name]):
                    spent[name] = _seconds(runs[name])
            clock.append(spent["chain"][0] / spent["fused"][0] - 1)
            processor.append(spent["chain"][1] / spent["fused"][1] - 1)
    for what, ratios in (("by the clock", clock), ("by processor time", processor)):
        low, middle, high = statistics.quantiles(ratios, n=4)
        print(f"{what}: the chain takes {middle:.1%} longer ({low:.1%} to {high:.1%})")


def _seconds(run: Run) -> tuple[float, float]:
    """Return wall-clock and processor seconds for all steps of a cell."""
    state = jax.block_until_ready(run.program.start(0, run.numeric))
    began, busy = time.perf_counter(), time.process_time()
    fixed = run.numeric, run.seed, run.ids, run.labels, run.rows, run.buckets
    counts = jnp.int32(0), jnp.int32(run.steps), jnp.float32(0.0)
    jax.block_until_ready(run.program.train(state, *fixed, *counts))
    return time.perf_counter() - began, time.process_time() - busy


if __name__ == "__main__":
    main()
