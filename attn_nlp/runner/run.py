"""Run an experiment: train the planned cells that are not stored yet, and store them.

Only this process writes to the store, in one transaction per finished cell. So a run that is killed
loses no more than the cells it was training, and a second run continues where the first one ended.
Several runs may share a store; each cell is claimed by one of them.
"""

from __future__ import annotations

import contextlib
import shutil
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from attn_nlp.errors import UserError
from attn_nlp.experiment import Resolved
from attn_nlp.experiment.data_key import data_key
from attn_nlp.experiment.identity import is_baseline, key_of
from attn_nlp.fault_injection import point
from attn_nlp.result.record import Record
from attn_nlp.result.schema import check_against, fit_to_store
from attn_nlp.result.shapes import Misfit
from attn_nlp.runner.cores import usable
from attn_nlp.runner.environment import (
    cache_folder,
    check_cache,
    check_limits,
    single_threaded_here,
)
from attn_nlp.runner.in_process import HereEngine
from attn_nlp.runner.job import Job, Stopped
from attn_nlp.runner.local import LocalEngine
from attn_nlp.runner.other_code import other_code
from attn_nlp.runner.plan import (
    check_data,
    check_parts,
    data_settings,
    predicted,
    to_do,
)
from attn_nlp.runner.progress import Progress, waits_for
from attn_nlp.runner.signals import Interrupt
from attn_nlp.runner.train_job import failure
from attn_nlp.store import FINAL, Store, StoreError
from attn_nlp.train.checkpoint import interval
from attn_nlp.user_code import modules

if TYPE_CHECKING:
    from attn_nlp.data import DataSettings, Prepared

_WAIT_SECONDS = 1.0
_SAY_AFTER = 3.0  # seconds of waiting after which a person may wonder why


@dataclass(frozen=True)
class Summary:
    """How a run ended.

    Attributes:
      counts: number of cells of the experiment by status, including "to do".
      signal: the signal that ended the run, or 0.
      kept: for every cell that failed when it was trained again and so kept its earlier result,
        the reason.
    """

    counts: Mapping[str, int]
    signal: int = 0
    kept: tuple[str, ...] = ()

    @property
    def status(self) -> int:
        """The exit status of a command that made this run."""
        if self.signal:
            return 128 + self.signal
        bad = self.counts.get("failed") or self.counts.get("diverged") or self.kept
        return 3 if bad else 0


def run(
    resolved: Resolved,
    store: Store,
    *,
    file: str | Path | None = None,
    workers: int | None = None,
    in_process: bool = False,
    retry_failed: bool = False,
    retrain_changed: bool = False,
    progress: Callable[..., Progress] = Progress,
    ends: bool = True,
) -> Summary:
    """Train every cell that the store lacks.

    Args:
      resolved: the experiment.
      store: open for writing.
      file: the experiment file, from which workers load the parts that it registers.
      workers: number of worker processes, by default one for each usable core.
      in_process: train in this process instead, one cell after another, with the same bits.
      retry_failed: train failed cells again.
      retrain_changed: train cells again that another version of this package's code computed. Each
        keeps its result until the new one is stored.
      progress: makes the progress display; called as `Progress` is.
      ends: whether signals may end this process; see `Interrupt`.

    Raises:
      UserError: a dataset is not available, or is no longer the one that stored cells were trained
        on; or a part in the user's code cannot work; or nothing can be trained in this environment.
      StoreError: the store cannot be written.
    """
    check_data(resolved)
    interval()
    tried: set[str] = set()  # by this run, in an earlier phase
    kept: list[str] = []
    with Interrupt(ends) as interrupt, store.heartbeat():
        try:
            for phase in _phases(resolved, store, retry_failed, retrain_changed):
                driver = _Driver(phase, store, retry_failed, tried, retrain_changed, kept)
                count = 1 if in_process else min(workers or usable(), driver.left)
                if count:
                    check_cache()
                    check_limits(count)
                done = len(driver.cells) - driver.left
                shown = progress(len(driver.cells), done, workers=count)
                with _engine(driver, count, file, in_process) as engine:
                    with interrupt.raising():
                        warnings = driver.check_parts(in_process)
                        jobs = driver.jobs()
                    store.save_experiment(phase)  # only now that its data is known to be good
                    with shown:
                        for warning in warnings:
                            shown.say(f"warning: {warning}")
                        driver.work(jobs, engine, interrupt, shown)
                interrupt.check()
                tried |= driver.cells.keys()
        except Stopped:
            pass
        finally:
            with contextlib.suppress(StoreError):
                store.release()
        store.check_sound()
        store.check_place()  # do not report cells as done in a file that is gone
        counts = _counts(store.settled(resolved), store)
        summary = Summary(counts, interrupt.number, tuple(kept))
        assert summary.signal or not summary.counts.get("to do"), "an engine lost cells"
        return summary


def _engine(
    driver: _Driver, workers: int, file: str | Path | None, in_process: bool
) -> HereEngine | LocalEngine:
    """Return an engine, whose workers start before data is prepared if anything is to do."""
    if in_process:
        return HereEngine(driver.trains())
    path = None if file is None else str(file)
    return LocalEngine(workers, path, len(driver.store.running()), driver.trains())


def _phases(
    resolved: Resolved, store: Store, retry_failed: bool, retrain_changed: bool
) -> Iterator[Resolved]:
    """Yield what to run: everything at once, or the tuning trials and then what they chose.

    The second phase is read from the store after the first has ended. A failed trial that will be
    retried has not chosen anything yet.
    """
    if resolved.tuning is not None:
        trials = {cell["spec"] for cell in resolved.trials}
        statuses = [record["status"] for record in store.records(trials, ["status"]).values()]
        again = retry_failed and "failed" in statuses
        again = again or bool(retrain_changed and other_code(store, trials).changed)
        if again or store.settled(resolved).open:
            yield resolved
    yield store.settled(resolved)


def _counts(resolved: Resolved, store: Store) -> dict[str, int]:
    """Return the number of cells by status, as the store has them now."""
    cells = resolved.wanted
    records = store.records(cells, ["status"])
    counts = Counter(record["status"] for record in records.values())
    left = len(cells) + len(resolved.open) - len(records)
    return {**counts, "to do": left} if left else dict(counts)


class _Driver:
    def __init__(
        self,
        resolved: Resolved,
        store: Store,
        retry_failed: bool,
        tried: Collection[str],
        retrain_changed: bool,
        kept: list[str],
    ) -> None:
        self.cells = resolved.wanted
        self._resolved = resolved
        self.store = store
        self._programs = resolved.programs
        self._before = store.records(
            self.cells, ["status", "finished_at", "fingerprint", "tokenizer_hash"]
        )
        changed = other_code(store, self.cells).changed if retrain_changed else frozenset()
        self._changed = changed & self._before.keys()
        self._kept = kept
        left = to_do(self.cells, self._before, retry_failed, self._changed)
        self._left = [spec for spec in left if spec not in tried]
        self._data: dict[str, Prepared] = {}
        self._rejected: list[Job] = []

    @property
    def left(self) -> int:
        """The number of cells to do."""
        return len(self._left)

    def trains(self) -> bool:
        """Return whether JAX trains any of them: an encoder, or a model trained like one."""
        cells = {self._programs.of(self.cells[spec])[2] for spec in self._left}
        return any("fit" not in cell.choices["model"].part.hooks for cell in cells)

    def check_parts(self, in_process: bool) -> tuple[str, ...]:
        """Try the parts in the user's code, and return warnings about them.

        Raises:
          UserError: a part cannot work.
        """
        named = (self._programs.of(self.cells[spec]) for spec in self._left)
        cells = {program: cell for program, _, cell in named}.values()
        # In this process JAX trains afterward; else accelerators are left to the workers.
        with single_threaded_here() if in_process else contextlib.nullcontext():
            return check_parts(cells, alone=not in_process)

    def jobs(self) -> list[Job]:
        """Prepare the data of the cells to do, and return the cells as jobs, in order.

        A baseline is quick: it counts as taking no time, and so fills the gaps at the end of the
        first round.
        """
        self._prepare()
        rounds: dict[object, int] = {}
        pace = self.store.pace({self._programs.of(self.cells[spec])[1] for spec in self._left})
        label = self._resolved.label
        jobs = []
        for spec in self._left:
            settings = self.cells[spec]
            prepared = str(self._data[spec].path)
            program, paced, cell = self._programs.of(settings)
            baseline = is_baseline(cell)
            measured, _ = pace.get(paced, (None, None))
            jobs.append(
                Job(
                    spec=spec,
                    settings=settings,
                    prepared=prepared,
                    program=f"{program} {prepared}",
                    round=0 if baseline else rounds.setdefault(settings["seed"], len(rounds)),
                    seconds=0.0 if baseline else predicted(cell, measured),
                    label=label(settings),
                    planned=modules.began,
                    keep=str(self._keep(spec)),
                )
            )
        return jobs

    def work(self, jobs: list[Job], engine, interrupt: Interrupt, progress: Progress) -> None:
        """Give the jobs to the engine, and wait for those that another run has claimed."""
        said = False
        while jobs:
            self._rejected = []
            engine.run(jobs, self._take, self._done, interrupt, progress)
            waiting, began = self._rejected, time.monotonic()
            while waiting:
                interrupt.check()
                finished = self.store.records((job.spec for job in waiting), ["finished_at"])
                ours = [job for job in waiting if not self._is_new(job.spec, finished)]
                progress.elsewhere(len(waiting) - len(ours))
                waiting = ours
                holders = self.store.holders()
                if not {job.spec for job in waiting} <= holders.keys():
                    break  # another run has given up some of them
                if waiting and not said and time.monotonic() - began >= _SAY_AFTER:
                    progress.say(waits_for(holders[job.spec] for job in waiting))
                    said = True
                progress.tick()
                time.sleep(_WAIT_SECONDS)
            jobs = waiting
            if interrupt.number:
                return

    def _take(self, job: Job) -> bool:
        with point("run.claim"):
            taken = self.store.claim(
                job.spec,
                replaces=self._stored_at(job.spec),
                final=job.spec in self._changed,
            )
        if not taken:
            self._rejected.append(job)
        return taken

    def _done(self, job: Job, result: Mapping) -> None:
        data = self._data[job.spec]
        tokenizer_hash = self._tokenizer_hash(job.spec)
        kept = self._fitting(fit_to_store(result), data)
        record = {
            **kept,
            "provenance": result.get("provenance"),
            "key": key_of(job.spec, data.fingerprint, tokenizer_hash),
            "program": self._programs.of(job.settings)[1],
            "settings": job.settings,
            "data": data.facts,
            "fingerprint": data.fingerprint,
            "tokenizer_hash": tokenizer_hash,
            "gold": data.labels_of("test").tolist() if kept.get("test") else None,
        }
        with point("run.finish"):
            before = self._stored_at(job.spec) if job.spec in self._changed else None
            self.store.finish(job.spec, record, replaces=before)
        if before is not None and record["status"] not in FINAL:
            self._kept.append(str(record["reason"]))
        shutil.rmtree(self._keep(job.spec), ignore_errors=True)
        with contextlib.suppress(OSError):  # other cells may have theirs there
            self._keep(job.spec).parent.rmdir()

    def _fitting(self, result: dict, data: Prepared) -> dict:
        """Return the result, or a failure if it does not fit the labels, which may have changed."""
        try:
            if result["status"] == "done" and result.get("test"):
                labels = data.labels_of("test").tolist()
                check_against(result, len(data.class_names), labels, data.positive)
        except Misfit as error:
            return fit_to_store(failure(f"the result does not fit the test split: {error}."))
        return result

    def _keep(self, spec: str) -> Path:
        """Return the folder for checkpoints of a cell, next to the store."""
        path = self.store.path.absolute()
        return path.with_name(f"{path.name}.checkpoints") / spec

    def _stored_at(self, spec: str) -> str | None:
        return self._before.get(spec, {}).get("finished_at")

    def _is_new(self, spec: str, records: Mapping[str, Record]) -> bool:
        return spec in records and records[spec]["finished_at"] != self._stored_at(spec)

    def _prepare(self) -> None:
        """Prepare each dataset once; reject one that has changed since cells were stored."""
        left = set(self._left)
        needed: dict[DataSettings, list[str]] = {}
        for spec, settings in self._by_data():
            needed.setdefault(settings, []).append(spec)
        for settings, specs in needed.items():
            if left.isdisjoint(specs) and not _is_local(settings.dataset):
                continue  # all cells are stored, so printing them must not need a network
            from attn_nlp.data import prepare_dataset

            prepared = prepare_dataset(settings, cache_folder() / "data")
            for spec in specs:
                self._data[spec] = prepared
                if spec in self._before:
                    self._check_data_is_the_same(spec, settings.dataset)

    def _by_data(self) -> Iterable[tuple[str, DataSettings]]:
        """Yield every cell with its data settings; a baseline shares those of any other cell."""
        prepared: dict[tuple, DataSettings] = {}
        for cell in self._resolved.cells:
            prepared.setdefault(data_key(cell["settings"]), data_settings(cell["settings"]))
        for spec, settings in self.cells.items():
            own, key = data_settings(settings), data_key(settings)
            yield spec, prepared.get(key, own) if self._is_baseline(spec) else own

    def _is_baseline(self, spec: str) -> bool:
        return is_baseline(self._programs.of(self.cells[spec])[2])

    def _tokenizer_hash(self, spec: str) -> str:
        return "" if self._is_baseline(spec) else self._data[spec].tokenizer_hash

    def _check_data_is_the_same(self, spec: str, dataset: str) -> None:
        before = self._before[spec]
        for what, then, now in (
            ("rows", before["fingerprint"], self._data[spec].fingerprint),
            ("tokens", before["tokenizer_hash"], self._tokenizer_hash(spec)),
        ):
            if then != now:
                raise UserError(
                    f"the {what} of dataset {dataset!r} have changed since store "
                    f"{self.store.path} was filled: their fingerprint was {then} and is {now}; "
                    "restore the data or choose another --store."
                )


def _is_local(dataset: str) -> bool:
    from attn_nlp.data.loading import data_path

    return data_path(dataset) is not None
