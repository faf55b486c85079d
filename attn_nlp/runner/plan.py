"""The rest of an experiment: cells to do, programs to compile, and an estimate of the cost.

The input is a resolved experiment, a store and the folder of prepared data. Nothing here loads data
or starts JAX. Seconds come from stored cells of the same program if there are any. Otherwise they
follow from the operations of the cell (`costs.py`) at a fixed speed, which is not measured on this
machine, and from the mean length of its sentences if they have been prepared here. The result is
printed as an estimate.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from attn_nlp.experiment import Cell, Resolved, costs
from attn_nlp.experiment.data_key import DATA
from attn_nlp.experiment.identity import is_baseline
from attn_nlp.experiment.planned import Settings
from attn_nlp.result.record import Record
from attn_nlp.store import FINAL, Store
from attn_nlp.store.records import Records

if TYPE_CHECKING:
    from attn_nlp.data import DataSettings

GIGAFLOPS = 45.0  # per second and worker, as small encoders reach on one core, evaluation included
TOKENS = 20  # mean length of a sentence, if it is not known
COMPILE_SECONDS = 10.0  # for six padded lengths, on one core; afterward the cache has it
BASELINE_SECONDS = 10.0
PROCESS_BYTES = 400_000_000  # a worker before it has trained anything
SENTENCE_BYTES = 8  # of every sentence of every batch, whose order is drawn before training


@dataclass(frozen=True)
class Plan:
    """The rest of an experiment.

    Attributes:
      name: the experiment.
      counts: cells by status, with "to do"; baselines included.
      baselines: how many of them are baselines.
      programs: programs to compile.
      seconds: predicted for all that is left, on `workers` workers.
      measured: how many of the cells to do have a measured pace.
      memory_bytes: predicted for all workers together.
      skipped: number of cells left out, by reason.
      trials: how many of all cells are trials of a tuned experiment.
      open: how many of the cells to do have values that the trials have yet to choose.
      lengths: mean tokens of a sentence by dataset, of the cells to do; None if no prepared data
        has it and `TOKENS` are assumed.
    """

    name: str
    counts: Mapping[str, int]
    baselines: int
    programs: int
    workers: int
    seconds: float
    measured: int
    memory_bytes: int
    skipped: Mapping[str, int]
    trials: int = 0
    open: int = 0
    lengths: Mapping[str, float | None] = field(default_factory=dict)

    @property
    def assumption(self) -> str:
        """The assumptions of the estimate, and the lengths that it has read."""
        read = [f"{name} {mean:.1f}" for name, mean in self.lengths.items() if mean is not None]
        guessed = [name for name, mean in self.lengths.items() if mean is None]
        says = (
            f"assumes {GIGAFLOPS:g} GFLOP/s per worker, {COMPILE_SECONDS:g} s to compile a program"
        )
        if guessed:
            says += (
                f" and {TOKENS} tokens per sentence of {', '.join(guessed)}, which this machine "
                "has not prepared yet"
            )
        if read:
            says += f"; tokens per sentence as prepared: {', '.join(read)}"
        return says


def to_do(
    specs: Iterable[str],
    records: Mapping[str, Record],
    retry_failed: bool,
    changed: Collection[str] = (),
) -> list[str]:
    """Return the specs without a final record, and those of `changed`, which are trained again.

    A failed cell is left out unless it is to be retried.
    """
    finished = FINAL if retry_failed else (*FINAL, "failed")
    return [
        s for s in specs if s not in records or s in changed or records[s]["status"] not in finished
    ]


def data_settings(settings: Settings) -> DataSettings:
    """Return the settings of a cell that decide its data."""
    from attn_nlp.data import DataSettings

    return DataSettings(**{path: settings[path] for path in DATA})


def check_data(resolved: Resolved) -> None:
    """Reject unknown datasets and tokenizers, before anything is loaded.

    Raises:
      UserError: an unknown dataset or tokenizer.
    """
    from attn_nlp.data import check_dataset, check_tokens

    for dataset in dict.fromkeys(cell["settings"]["dataset"] for cell in resolved.cells):
        check_dataset(dataset)
    for tokens in dict.fromkeys(cell["settings"]["tokens"] for cell in resolved.cells):
        check_tokens(tokens)


def check_parts(cells: Iterable[Cell], alone: bool = True) -> tuple[str, ...]:
    """Reject parts in the user's code that cannot work, before anything is trained.

    JAX is started only if a cell uses such a part.

    Args:
      cells: one of each program.
      alone: whether this process trains nothing afterward, so that no accelerator is taken.

    Returns:
      Warnings, one sentence each.

    Raises:
      UserError: a part returns or raises what it must not, or breaks a law of its slot.
    """
    from attn_nlp.experiment.own_parts import with_own_parts

    own = with_own_parts(cells)
    if not own:
        return ()
    from attn_nlp.probe import probe

    return probe(own, alone=alone)


def cells_ahead(resolved: Resolved, store: Store, retry_failed: bool) -> Iterator[Cell]:
    """Yield one cell to do of every program; an open cell has the values of the first trial."""
    seen = set()
    for settings in _ahead(store.settled(resolved), store, retry_failed)[0]:
        name, _, cell = resolved.programs.of(settings)
        if name not in seen:
            seen.add(name)
            yield cell


def _ahead(resolved: Resolved, store: Store, retry_failed: bool) -> tuple[list[Settings], Records]:
    """Return the settings of the cells to do, and the records of the others."""
    cells = resolved.wanted
    records = store.records(cells, ["status"])
    left = to_do(cells, records, retry_failed)
    first = resolved.tuning["draws"][0] if resolved.tuning else {}
    ahead = [cells[spec] for spec in left]
    return [*ahead, *({**cell["settings"], **first} for cell in resolved.open)], records


def plan(
    resolved: Resolved,
    store: Store,
    *,
    workers: int,
    retry_failed: bool = False,
    data: Path | None = None,
) -> Plan:
    """Count and predict what is left.

    A cell whose values the trials have yet to choose is assumed to have those of the first trial.

    Args:
      data: the folder of prepared datasets; without it every length is assumed.
    """
    from attn_nlp.data import kept_lengths, shown_name

    resolved = store.settled(resolved)
    ahead, records = _ahead(resolved, store, retry_failed)
    named = [resolved.programs.of(settings) for settings in ahead]
    kept = kept_lengths(data) if data is not None else {}
    lengths: dict[tuple[str, str], float | None] = {}
    pace = store.pace({paced for _, paced, _ in named})
    seconds, measured, memory, compiled = 0.0, 0, 0, set()
    for (program, paced, cell), times in _counted(named):
        if is_baseline(cell):
            seconds += times * BASELINE_SECONDS
            continue
        compiled.add(program)
        known, peak = pace.get(paced, (None, None))
        measured += times * (known is not None)
        name = shown_name(cell.dataset)
        length = lengths[name, cell.tokens] = kept.get((name, cell.tokens))
        seconds += times * predicted(cell, known, length)
        memory = max(memory, (_bytes(cell) if peak is None else peak) + _order_bytes(cell))
    seconds += COMPILE_SECONDS * len(compiled)
    workers = max(1, min(workers, len(ahead)))
    counts = Counter(record["status"] for record in records.values())
    if retry_failed:
        del counts["failed"]
    return Plan(
        name=resolved.name,
        counts={"to do": len(ahead), **counts},
        baselines=len({baseline["spec"] for baseline in resolved.baselines}),
        programs=len(compiled),
        workers=workers,
        seconds=seconds / workers,
        measured=measured,
        memory_bytes=(PROCESS_BYTES + memory) * workers if ahead else 0,
        skipped=Counter(cell["reason"] for cell in resolved.skipped),
        trials=len(resolved.trials),
        open=len(resolved.open),
        lengths=_by_name(lengths),
    )


def _by_name(lengths: Mapping[tuple[str, str], float | None]) -> dict[str, float | None]:
    """Return lengths by dataset, and by tokenizer if cells of a dataset differ in it."""
    ways = Counter(name for name, _ in lengths)
    return {
        name if ways[name] == 1 else f"{name} with tokens {tokens}": mean
        for (name, tokens), mean in lengths.items()
    }


def _counted(named: list[tuple[str, str, Cell]]) -> list[tuple[tuple[str, str, Cell], int]]:
    """Return each program once, with its count; `Programs` returns one object for each shape."""
    times = Counter(map(id, named))
    return [(name, times[at]) for at, name in {id(name): name for name in named}.items()]


def predicted(cell: Cell, pace: float | None, tokens: float | None = None) -> float:
    """Return the seconds of training, from a measured pace or else from the operations.

    Args:
      cell: the settings.
      pace: measured seconds per step, or None.
      tokens: mean length of a sentence; by default `TOKENS`.
    """
    return _seconds(cell, tokens or TOKENS) if pace is None else cell.steps * pace


def _seconds(cell: Cell, tokens: float) -> float:
    """Return seconds by the operations of all updates: forward, and twice that backward."""
    forward = costs.flops(cell, min(cell.length, max(1, round(tokens))))
    if not forward:  # fitted by its own code, of which nothing is known
        return BASELINE_SECONDS
    return cell.steps * 3 * forward * cell.batch_size / (GIGAFLOPS * 1e9)


def _bytes(cell: Cell) -> int:
    """Return the bytes of parameters, gradients, two moments, and one batch of activations."""
    sizes = cell.sizes
    weights = costs.parameters(cell, cell.vocabulary, classes=2)
    positions = cell.batch_size * sizes["T"]
    per_layer = 6 * sizes["E"] + 2 * sizes["F"]
    per_layer += 2 * sizes["H"] * (sizes["T"] + sizes["D"] + sizes["U"])
    return 4 * (4 * weights + positions * sizes["N"] * per_layer)


def _order_bytes(cell: Cell) -> int:
    """Return the bytes of the order of all batches, which a measured peak does not include."""
    fitted = "fit" in cell.choices["model"].part.hooks
    return 0 if fitted else SENTENCE_BYTES * cell.steps * cell.batch_size
