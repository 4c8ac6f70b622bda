# The commands for new contributors, maintainers and CI. Each target first installs what it needs into $(VENV).
#
#   make demo    a small data set, a push to the local Kaggle, its cross-validation table   (takes minutes)
#   make test    lint, type check, tests
#   make test-all  the same with the tests that a release needs, too: the wheel in new environments, `kill -9` at random, ...
#   make test-clusters  the tests with a real Slurm, sshd and Ray, which it installs first (apt as root, pip)
#   make bench   speed, as ratios to other programs in the same run
#   make gpu-check  what only a graphics card shows: speed, memory, the same numbers again   (at most five minutes)
#   make live-check  what Kaggle itself says to coord's assumptions, with your account (asks first; docs/live_check.md)
#   make docs    the documentation as a site, in site/
#   make reference  the pages of docs/ that are made from the code
#   make mutants mistakes made on purpose, one at a time, each of which a test has to notice
#
# PIP_ARGS is passed to pip. For example, this installs a smaller torch without CUDA:
#   make demo PIP_ARGS="--extra-index-url https://download.pytorch.org/whl/cpu"

PYTHON ?= python3
VENV ?= .venv
RAY_ENVIRONMENT ?= .venv-ray
PIP_ARGS ?=
# One more than the smallest machine that tests run on has processors, because many tests wait for other programs.
# With two more, the same tests took 1.25 times as long there, and 1.5 times as much of the processors.
JOBS ?= 3
# The tests that `make test` runs, as `pytest -m` takes it. Empty: all (`make test-all`).
SELECT ?= not release

BIN := $(VENV)/bin
READY := $(VENV)/.coord-installed
SAMPLE := .coord/sample-data

# A module that uses one of these may do what another system has not.
OF_THE_SYSTEM := ^ *(import|from) (os|signal|socket|select|selectors|fcntl|msvcrt|winreg|resource|pty|tty|termios|ctypes|mmap|psutil|multiprocessing|asyncio|errno|time|syslog|pwd|grp|readline|shutil|subprocess|webbrowser)\b|sys\.platform

.PHONY: help demo test test-all test-clusters tests quick lint types format bench gpu-check live-check docs reference mutants clean install

help:
	@sed -n '2,/^$$/s/^# \{0,1\}//p' Makefile

install: $(READY)

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	    || { echo "coord needs Python 3.11 or newer; name one with: make PYTHON=python3.12 ..." >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null \
	    || { echo "this Python cannot make virtual environments; on Debian: apt install python3-venv" >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing into $(VENV) (torch is large: this takes a few minutes)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check $(PIP_ARGS) -c constraints.txt -e '.[submit,hydra,local,notebook,train,mlflow,tensorboard,wandb,adopt,docs,dev]'
	@# Real labels for the tests. Without its dependencies: the tests read its data file only, and do not import it.
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check $(PIP_ARGS) -c constraints.txt --no-deps torchxrayvision
	@touch $(READY)

$(SAMPLE): | $(READY)
	$(BIN)/python -m runner_test.samples $(SAMPLE)

demo: $(READY) $(SAMPLE)
	$(BIN)/coord local add-dataset local/siim-sample $(SAMPLE)
	$(BIN)/coord push --exp smoke --target local --wait
	$(BIN)/coord status
	$(BIN)/coord fetch-results --exp smoke --target local

test: lint
	@# The type check is one process. Beside the tests it leaves no processor idle.
	@$(MAKE) --no-print-directory -j 2 types tests

tests: $(READY)
	@# In a new checkout: once before them all, or each process would compile every test module for itself.
	-@test -d tests/__pycache__ || $(BIN)/python -m pytest --collect-only -qq >/dev/null
	$(BIN)/python -m pytest -n $(JOBS) --dist worksteal -m "$(SELECT)"

test-all:
	@$(MAKE) --no-print-directory test SELECT=

test-clusters: $(READY) $(RAY_ENVIRONMENT)/bin/ray
	apt-get install -y --no-install-recommends slurm-wlm munge slurmdbd mariadb-server openssh-server openssh-client
	CLUSTERS=all RAY_ENVIRONMENT=$(RAY_ENVIRONMENT) $(BIN)/python -m pytest tests/clusters

$(RAY_ENVIRONMENT)/bin/ray:
	@# In an environment of its own: the libraries that Ray pins are not those that coord is tested with.
	$(PYTHON) -m venv $(RAY_ENVIRONMENT)
	$(RAY_ENVIRONMENT)/bin/pip install --quiet --disable-pip-version-check 'ray[default]>=2.49'

quick: $(READY)
	$(BIN)/python -m pytest -n $(JOBS) --dist worksteal -m "not slow and not release"

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(READY)
	$(BIN)/mypy
	@# What runs on macOS and Windows, for these; the results of the three are kept apart, or each would spoil the others.
	$(BIN)/mypy --config-file tests/machines/mypy.ini --platform darwin --cache-dir .mypy_cache/darwin \
	    $$(grep -rlE --include='*.py' '$(OF_THE_SYSTEM)' coordinator coord_log.py runner_test)
	$(BIN)/mypy --config-file tests/machines/mypy.ini --platform win32 --cache-dir .mypy_cache/win32 \
	    $$(grep -rlE --include='*.py' '$(OF_THE_SYSTEM)' coordinator coord_log.py)

format: $(READY)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(READY)
	@# Programs that only the benchmarks compare with. If one cannot be installed, its benchmark prints "skipped".
	-$(BIN)/python -m pip install --quiet --disable-pip-version-check $(PIP_ARGS) pycocotools stickytape==0.2.1
	$(BIN)/python -m benchmarks.rle
	$(BIN)/python -m benchmarks.score
	$(BIN)/python -m benchmarks.data
	$(BIN)/python -m benchmarks.train_step
	$(BIN)/python -m benchmarks.bundle
	$(BIN)/python -m benchmarks.startup
	$(BIN)/python -m benchmarks.startup_cli
	$(BIN)/python -m benchmarks.status
	$(BIN)/python -m benchmarks.fetch
	$(BIN)/python -m benchmarks.sessions
	$(BIN)/python -m benchmarks.kills
	$(BIN)/python -m benchmarks.crowd
	$(BIN)/python -m benchmarks.growth
	$(BIN)/python -m benchmarks.cluster_sweep

gpu-check: $(READY)
	$(BIN)/python -m benchmarks.gpu_check $(ARGS)

live-check: $(READY)
	$(BIN)/coord live-check $(ARGS)

docs: $(READY) reference
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --quiet
	@echo "site/index.html"

reference: $(READY)
	$(BIN)/python -m tests.reference

mutants: $(READY)
	$(BIN)/python -m tests.mutants

clean:
	rm -rf $(VENV) $(RAY_ENVIRONMENT) .coord results dist site .mypy_cache .ruff_cache .pytest_cache
