# Each target makes .venv first if it is missing or out of date.
PYTHON ?= python3.11
# For example PIP_FLAGS="--extra-index-url https://download.pytorch.org/whl/cpu": the default
# registry serves the CUDA build of PyTorch on Linux, several gigabytes that nothing here needs.
PIP_FLAGS ?=
# Extra arguments: make compare ARGS="--seeds 10", make test ARGS="-k vector_env"
ARGS ?=

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
DOCS_STAMP := $(VENV)/.installed-docs

# One thread per process: small matrices, and several processes at once.
export OMP_NUM_THREADS := 1
export MKL_NUM_THREADS := 1
export OPENBLAS_NUM_THREADS := 1

.DEFAULT_GOAL := help
.PHONY: help venv compare benchmark sample-log speed test test-slow fuzz test-portable \
	test-portable-quick examples docs tutorials lint format clean

help:  ## Show the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 12

venv: $(STAMP)  ## Create .venv with the pinned versions

$(STAMP): pyproject.toml constraints.txt
	@# One that is there stays, with its Python.
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || command -v $(PYTHON) >/dev/null || { \
		echo "$(PYTHON) not found: install Python 3.11 or later, or name one: make PYTHON=..." >&2; exit 1; }
	$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv $(VENV)
	@# Progress bars for people, silence for logs.
	[ -t 1 ] && quiet= || quiet=-q; PIP_CONSTRAINT=constraints.txt $(BIN)/python -m pip install \
		--disable-pip-version-check --no-input $$quiet $(PIP_FLAGS) -e ".[agents,logs,minari,sb3,sklearn,tune,ray,export,render,dev]"
	@touch $@

compare: $(STAMP)  ## Train and compare the agents, write results/compare
	$(BIN)/python -m scripts.compare $(ARGS)

benchmark: $(STAMP)  ## Play the benchmark or go on with it, write results/benchmark
	$(BIN)/python -m scripts.benchmark $(ARGS)

sample-log: $(STAMP)  ## Simulate data/sample_log anew
	$(BIN)/python -m scripts.simulate_logs --viewers 200 --days 7 --seed 0 \
		--out data/sample_log --overwrite \
		--env-kwargs '{"world": "plain", "config": {"num_viewers": 200, "num_streamers": 200, "days": 7}}'

speed: $(STAMP)  ## Measure environment and DQN, compare ratios with data/speed_reference.json
	$(BIN)/python -m scripts.speed $(ARGS)

$(DOCS_STAMP): $(STAMP)
	PIP_CONSTRAINT=constraints.txt $(BIN)/python -m pip install \
		--disable-pip-version-check --no-input -q $(PIP_FLAGS) -e ".[docs]"
	@touch $@

docs: $(DOCS_STAMP)  ## Build the site into build/site; warnings are errors
	$(BIN)/python -m scripts.docs $(ARGS)
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build

tutorials: $(DOCS_STAMP)  ## Execute the tutorials only
	$(BIN)/python -m scripts.docs --only tutorials

lint: $(STAMP)  ## Style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(STAMP)  ## Rewrite the files in the project's style
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

test: lint  ## Style, types and the tests of a few seconds each
	$(BIN)/python -m pytest -n 2 -m "not slow" $(ARGS)

test-slow: $(STAMP)  ## The long tests: statistics, learning, speed
	$(BIN)/python -m pytest -n 2 -m slow $(ARGS)

fuzz: $(STAMP)  ## Damaged snapshots and files, FUZZ_CASES of each kind (10,000), from FUZZ_SEED on
	$(BIN)/python -m pytest -s -m fuzz tests/fuzz $(ARGS)

# What a processor without AVX-512 computes, on any x86-64 one: last bits differ, nothing may fail.
PORTABLE := NUMBA_CPU_NAME=generic OPENBLAS_CORETYPE=Haswell \
	NPY_DISABLE_CPU_FEATURES="X86_V4 AVX512_ICL AVX512_SPR"
# Where numbers are held against numbers made elsewhere.
PORTABLE_QUICK := tests/test_golden.py tests/test_reference_scores.py \
	tests/scripts/test_simulate_logs.py tests/simulator tests/agents/dqn/by_hand

test-portable: $(STAMP)  ## The tests as another processor would run them
	$(PORTABLE) $(BIN)/python -m pytest -n 2 -m "not slow" $(ARGS)

test-portable-quick: $(STAMP)  ## Those of them that compare with stored numbers
	$(PORTABLE) $(BIN)/python -m pytest -n 2 -m "not slow" $(PORTABLE_QUICK) $(ARGS)

examples: $(STAMP)  ## Train with every library; ARGS="tianshou_dqn --timesteps 500" for one, or less
	$(BIN)/python examples/run.py --pip-flags="$(PIP_FLAGS)" $(ARGS)

clean:  ## Remove .venv, the site and the caches
	rm -rf $(VENV) build/docs build/examples build/site .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
