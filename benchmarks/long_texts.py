"""Time and memory of attention over long texts: ours in blocks, next to PyTorch's.

    python -m benchmarks.long_texts                    512 to 8,192 tokens, three rounds
    python -m benchmarks.long_texts --lengths 512,1024 --rounds 1 --out bench

One sentence, four heads of 64, float32: the forward pass and the gradient by q, k and v. Every
figure comes from a separate process with one thread on one core, round by round and one rival after
another, so that a busy minute hits all of them. Shown are the median processor time and, for ours,
× the time of the rival that computes the same, divided by our time in the same round. Memory is the
growth of the process to its peak after its libraries and inputs were loaded, including compilation.
"""

# pyright: reportMissingImports=false
# PyTorch and Transformers are extras.

from __future__ import annotations

import json
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import click
import numpy as np

from benchmarks import processes
from benchmarks.reports import Report, shown, spread

HEADS, HEAD_DIM, CHUNK = 4, 64, 128
# The matrix of pairs of an unchunked rival of 8,192 tokens alone would take gigabytes, twice over.
LONGEST_AT_ONCE = 4096
LIMIT = 300.0  # seconds that a process may take


def inputs(length: int) -> tuple[np.ndarray, ...]:
    """Return q, k and v (1, H, T, D), the same for all rivals."""
    rng = np.random.default_rng(length)
    draws = rng.normal(size=(3, 1, HEADS, length, HEAD_DIM)).astype(np.float32)
    return tuple(draws)


def ours(
    length: int, *, score: str = "dot", normalizer: str = "softmax", chunk: int | None = CHUNK
) -> Callable[[], None]:
    """Return a step of our own attention."""
    import jax
    import jax.numpy as jnp

    from attn_nlp.experiment import Cell
    from attn_nlp.nn.attention import PairwiseKind, build_attention
    from attn_nlp.nn.context import BlockContext, ForwardContext
    from attn_nlp.nn.pairwise import PairwiseAttention
    from attn_nlp.rng import Stream

    cell = Cell(width=HEADS * HEAD_DIM, heads=HEADS, length=length)
    cell = cell.replace({"attention.score": score, "attention.normalizer": normalizer})
    module = build_attention(cell, cell.sizes, Stream(0), 0)
    assert isinstance(module, PairwiseKind)
    positions, tokens = jnp.arange(length), jnp.ones((1, length), bool)
    here = BlockContext(positions, positions, tokens, tokens)

    def number(q, k, v):
        walk = PairwiseAttention(module.slots, ForwardContext(cell.numeric()), "bench")
        return walk.attend(q, k, v, None, here, chunk)[0].sum()

    step = jax.jit(jax.value_and_grad(number, argnums=(0, 1, 2)))
    given = [jnp.asarray(array) for array in inputs(length)]
    return lambda: jax.block_until_ready(step(*given))


def jax_nn(length: int) -> Callable[[], None]:
    """Return a step of JAX's own attention."""
    import jax
    import jax.numpy as jnp

    def number(q, k, v):
        return jax.nn.dot_product_attention(q, k, v).sum()

    step = jax.jit(jax.value_and_grad(number, argnums=(0, 1, 2)))
    given = [jnp.asarray(array.swapaxes(1, 2)) for array in inputs(length)]
    return lambda: jax.block_until_ready(step(*given))


def torch_sdpa(length: int) -> Callable[[], None]:
    """Return a step of PyTorch's scaled_dot_product_attention."""
    import torch

    torch.set_num_threads(1)
    q, k, v = (torch.tensor(array, requires_grad=True) for array in inputs(length))

    def step():
        torch.nn.functional.scaled_dot_product_attention(q, k, v).sum().backward()
        for array in (q, k, v):
            array.grad = None

    return step


def torch_eager(length: int, kind: str) -> Callable[[], None]:
    """Return a step of another kind of attention in idiomatic PyTorch, all pairs at once."""
    import torch

    torch.set_num_threads(1)
    q, k, v = (torch.tensor(array, requires_grad=True) for array in inputs(length))
    direction = torch.ones(HEAD_DIM) / HEAD_DIM

    def weights():
        if kind == "additive":
            hidden = torch.tanh(q[:, :, :, None] + k[:, :, None])
            return torch.softmax(hidden @ direction, dim=-1)
        logits = q @ k.mT
        if kind == "sigmoid":
            return torch.sigmoid(logits * HEAD_DIM**-0.5)
        far = 2 * logits - q.square().sum(-1)[..., :, None] - k.square().sum(-1)[..., None, :]
        return torch.softmax(far * HEAD_DIM**-0.5, dim=-1)

    def step():
        (weights() @ v).sum().backward()
        for array in (q, k, v):
            array.grad = None

    return step


SDPA = "PyTorch scaled_dot_product_attention"
# name -> (what is timed, the longest text it is given)
RIVALS: dict[str, tuple[Callable[[int], Callable[[], None]], int]] = {
    "ours, dot, blocks of 128": (ours, 8192),
    SDPA: (torch_sdpa, 8192),
    "jax.nn.dot_product_attention": (jax_nn, LONGEST_AT_ONCE),
    "ours, dot, at once": (partial(ours, chunk=None), LONGEST_AT_ONCE),
    "ours, L2, blocks of 128": (partial(ours, score="l2"), 8192),
    "PyTorch eager, L2": (partial(torch_eager, kind="l2"), LONGEST_AT_ONCE),
    "ours, sigmoid, blocks of 128": (partial(ours, normalizer="sigmoid"), 8192),
    "PyTorch eager, sigmoid": (partial(torch_eager, kind="sigmoid"), LONGEST_AT_ONCE),
    "ours, additive, blocks of 128": (partial(ours, score="additive"), 4096),
    "PyTorch eager, additive": (partial(torch_eager, kind="additive"), 1024),
}
SAME = {
    "ours, dot, blocks of 128": SDPA,
    "ours, dot, at once": SDPA,
    "ours, L2, blocks of 128": "PyTorch eager, L2",
    "ours, sigmoid, blocks of 128": "PyTorch eager, sigmoid",
    "ours, additive, blocks of 128": "PyTorch eager, additive",
}


def measure(name: str, length: int) -> dict[str, float]:
    """Return processor seconds per step after the first, and the growth of the process in MiB."""
    make, _ = RIVALS[name]
    step = make(length)
    before = peak()
    step()
    started, seconds = time.perf_counter(), []
    while len(seconds) < 3 and time.perf_counter() - started < 20:
        began = time.process_time()
        step()
        seconds.append(time.process_time() - began)
    return {"seconds": statistics.median(seconds), "mebibytes": peak() - before}


def peak() -> float:
    """Return the peak resident memory of this process in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def summary(taken: list[dict[tuple[str, int], dict[str, float]]]) -> dict[str, dict[int, dict]]:
    """Return least, median and largest by rival and length, and our time over that of the rival."""
    found: dict[str, dict[int, dict]] = {}
    for name, size in sorted({key for turn in taken for key in turn}, key=_order):
        runs = [turn for turn in taken if (name, size) in turn]
        middle: dict = {
            key: spread(turn[name, size][key] for turn in runs) for key in runs[0][name, size]
        }
        pairs = [
            turn[name, size]["seconds"] / turn[SAME[name], size]["seconds"]
            for turn in runs
            if (SAME.get(name), size) in turn
        ]
        if pairs:
            middle["ratio"] = spread(pairs)
        found.setdefault(name, {})[size] = middle
    return found


def times_ours(row: dict) -> list[float]:
    """Return least, median and largest of the rival's time divided by ours.

    Example:
      >>> times_ours({"ratio": [0.5, 0.8, 1.0]})
      [1.0, 1.25, 2.0]
    """
    return [1 / ratio for ratio in reversed(row["ratio"])]


def _order(key: tuple[str, int]) -> tuple[int, int]:
    return list(RIVALS).index(key[0]), key[1]


def markdown(found: dict[str, dict[int, dict]], lengths: list[int]) -> str:
    """Write milliseconds, MiB and ratios by rival and length."""
    lines = [
        "| CPU ms (least–largest), MiB, × the rival of the same kind | "
        + " | ".join(f"{n:,}" for n in lengths)
        + " |",
        "|---" * (len(lengths) + 1) + "|",
    ]
    for name, by_length in found.items():
        cells = []
        for n in lengths:
            if n not in by_length:
                cells.append("–")
                continue
            cell = by_length[n]
            milliseconds = shown([1e3 * seconds for seconds in cell["seconds"]], ",.0f")
            text = f"{milliseconds} ms, {cell['mebibytes'][1]:,.0f} MiB"
            cells.append(text + (f", ×{shown(times_ours(cell))}" if "ratio" in cell else ""))
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


@click.command()
@click.option("--lengths", default="512,1024,2048,4096,8192", help="Tokens, by commas.")
@click.option("--rounds", default=3, show_default=True, help="How often each rival is run.")
@click.option("--out", type=click.Path(path_type=Path), help="A folder for JSON and Markdown.")
@click.option("--task", hidden=True)
def main(lengths: str, rounds: int, out: Path | None, task: str | None) -> None:
    """Print time and peak memory of attention over long texts."""
    if task is not None:
        _, given = processes.begin(task)
        print(json.dumps(measure(*given)))
        return
    sizes = [int(length) for length in lengths.split(",")]
    taken: list[dict[tuple[str, int], dict[str, float]]] = []
    processes.heed_termination()
    report = Report("long_texts", {"lengths": sizes, "rounds": rounds}, out)
    with tempfile.TemporaryDirectory() as cache:
        try:
            for turn in range(rounds):
                taken.append({})
                for size, name in (
                    (n, who) for n in sizes for who in RIVALS if n <= RIVALS[who][1]
                ):
                    click.echo(f"round {turn + 1}: {size} tokens, {name}", err=True)
                    began = processes.start(
                        "benchmarks.long_texts", [name, size], cache=Path(cache), limit=LIMIT
                    )
                    (ended,) = processes.wait([began])
                    if ended.fault:
                        click.echo(f"  {ended.fault}", err=True)
                        continue
                    taken[-1][name, size] = ended.said[-1]
                    found = summary(taken)
                    report.write(found, markdown(found, sizes))
        except KeyboardInterrupt:
            found = summary(taken)
            text = "Interrupted; measured until then:\n\n" + markdown(found, sizes)
            report.end(found, text, complete=False)
            sys.exit(130)
    found = summary(taken)
    report.end(found, markdown(found, sizes))


if __name__ == "__main__":
    main()
