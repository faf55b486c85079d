# Two commands: `make demo` installs and runs the main job, `make test` installs and runs the tests.
# Both need only Python 3.11 or newer, make and a package index. What they print on standard output
# does not depend on whether anything was left to do.
.POSIX:
.PHONY: demo test short check format oracles browser proofs mutants faults bench catalogue regenerate clean

PYTHON = python3
VENV = .venv
RUN = $(VENV)/bin/python
PIP = $(RUN) -m pip --disable-pip-version-check --quiet install -c constraints.txt

demo: $(VENV)/installed
	@$(RUN) experiments/scaling.py --only learning_rate=0.002

test: $(VENV)/installed-dev
	@$(RUN) -m pytest -n auto --dist worksteal

# What differs from one Python to the next, and with it from one JAX to the next: training, workers,
# files, the command line. `make short VENV=.venv-3.13 PYTHON=python3.13`
short: $(VENV)/installed-dev
	@$(RUN) -m pytest -n auto --dist worksteal tests/train tests/runner tests/store \
		tests/experiment tests/stats tests/cli/test_cli.py tests/runner/test_run.py tests/test_experiments.py

check: $(VENV)/installed-dev
	@$(RUN) -m ruff format --check
	@$(RUN) -m ruff check
	@$(RUN) -m pyright

format: $(VENV)/installed-dev
	@$(RUN) -m ruff format
	@$(RUN) -m ruff check --fix

# The packages that tests ask for a second opinion; without them those tests skip.
oracles: $(VENV)/installed-dev
	@$(PIP) -e '.[dev,oracles]' 1>&2

# The driver with which tests open a report in Chromium, where that is on the PATH; without either
# those tests skip.
browser: $(VENV)/installed-dev
	@$(PIP) -e '.[dev,browser]' 1>&2

# What the last `make test` proved of every part, counted; an error where one lacks a proof.
proofs: $(VENV)/installed-dev
	@$(RUN) -m tests.proofs

# One-line slips in copies of the code, each of which must turn the test named with it red.
mutants: oracles
	@$(RUN) -m tests.mutants

# Every point at which a crash would hurt, tried one by one, and every other kind of fault.
faults: $(VENV)/installed-dev
	@$(RUN) -m tests.faults

# Everything that is timed, beside other libraries; it says first how long that takes, some hours on
# two idle cores, and goes on where it was stopped. With every cell of PyTorch eager in the table of
# size S really run: `python -m benchmarks --all-cells`.
bench: $(VENV)/installed-dev
	@$(PIP) -e '.[dev,bench]' 1>&2
	@$(RUN) -m benchmarks --out bench

# The page of all parts, from their registry lines.
catalogue: $(VENV)/installed
	@$(RUN) -m attn_nlp parts --markdown > docs/catalogue.md.new
	@mv docs/catalogue.md.new docs/catalogue.md

# Rewrites the golden files from what the code does now; read the diff, it can freeze a bug.
regenerate: $(VENV)/installed-dev
	@ATTN_NLP_REGENERATE=1 $(RUN) -m pytest -q -k golden

$(VENV)/installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; name one by make PYTHON=...")'
	@test -x $(RUN) || $(PYTHON) -m venv $(VENV)
	@$(PIP) -e . 1>&2
	@touch $@

$(VENV)/installed-dev: $(VENV)/installed
	@$(PIP) -e '.[dev]' 1>&2
	@touch $@

clean:
	rm -rf $(VENV) runs .pytest_cache .ruff_cache .hypothesis
