# Nothing but Python 3.11+ and a package registry is needed: the first target that runs makes .venv.
#
#   make evals    the bundled suites, replayed: no network, no key, no cost
#   make test     the plugin's own tests, with branch coverage
#   make check    ruff, mypy --strict, import-linter
#   make test-live   a real small model, the SDKs and the frameworks: recorded, replayed, swapped in hybrid
#   make record   records the bundled suites again, with the real small model (equal answers leave no diff)
#   make bench    speed and memory against bare pytest and pytest-recording; FULL=1 adds 10000 cases
#
# ARGS goes to pytest: make evals ARGS="-k refund -v". PYTHON picks the interpreter of a new .venv.

BIN := .venv/bin
READY := .venv/.ready
LIVE := .venv/.live
BENCH := .venv/.bench
ARGS ?=
PYTHON ?=
FULL ?=
SUITES ?=
MAKEFLAGS += --no-print-directory

.PHONY: setup evals test test-live check record bench clean

setup: $(READY)

$(READY): pyproject.toml .ci/venv
	@sh .ci/venv .venv $(PYTHON)
	@touch $@

$(LIVE): $(READY) .ci/live
	@sh .ci/live .venv .venv-frameworks
	@touch $@

$(BENCH): $(READY) .ci/bench
	@sh .ci/bench .venv
	@touch $@

evals: $(READY)
	@$(BIN)/python -m pytest --agent-evals $(ARGS)

# Bytecode is kept, whatever the machine says: hundreds of child processes would read, rewrite and compile the whole plugin each.
test: export PYTHONDONTWRITEBYTECODE =

# The plugin is imported before pytest-cov could start, so coverage starts pytest and not the reverse.
test: $(READY)
	@$(BIN)/coverage erase
	@$(BIN)/coverage run -m pytest -n auto --maxprocesses 4 --dist worksteal $(ARGS)
	@$(BIN)/coverage combine --quiet
	@$(BIN)/coverage report $(if $(ARGS),--fail-under=0)

check: $(READY)
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo

test-live: $(LIVE)
	@$(BIN)/python -m pytest -n 2 --dist loadfile tests/live/live_sdks.py tests/live/live_model.py $(ARGS)
	@.venv-frameworks/bin/python -m pytest -n 2 -p no:langsmith_plugin -p no:anyio tests/live/live_frameworks.py $(ARGS)

record: $(LIVE)
	@$(BIN)/python -m cases.local_model -- \
		$(BIN)/python -m pytest --agent-evals --agent-record=all --agent-allow-live $(SUITES) $(ARGS)

bench: $(BENCH)
	@$(BIN)/python -m benchmarks.bench $(if $(FULL),--full)
	@$(BIN)/python -m benchmarks.compare

clean:
	rm -rf .venv .venv-frameworks .agentops .coverage* .mypy_cache .ruff_cache .pytest_cache .hypothesis
