# `make demo` and `make test` need Python >= 3.11 and make, nothing else: each sets up the virtual environment .venv
# for itself, once, and again only when pyproject.toml changes.
#
#   make PYTHON=/path/to/python3.12 demo          choose the interpreter (only looked at when .venv is made)
#   make PYTEST_FLAGS="-k cayley" test            hand options to pytest

PYTHON       ?=
PYTEST_FLAGS ?=
BENCH_FLAGS  ?=
WORKERS      ?= 2

VENV := .venv
RUN  := $(VENV)/bin/python

# One thread per BLAS pool: the products here are small, and pools that share cores cost more than they give.
export OPENBLAS_NUM_THREADS ?= 1
export OMP_NUM_THREADS ?= 1

# Tests that need more than `make test` installs, or another setting; each has a target of its own.
ELSEWHERE := $(foreach part,torch peers clients cuda ptx driver,--ignore=tests/$(part))

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:
# What `make gpu` runs with: an interpreter that has numba-cuda, PyTorch and JAX. Nothing is installed for it.
GPU_PYTHON ?= python3

.PHONY: help demo test test-torch test-peers test-clients test-simulator test-ptx test-driver gpu mutants check lint format bench clean

help:
	@echo 'make demo        check every gradient, train an ENRNN on the adding problem, leave figures in demo-run/'
	@echo 'make test        the whole test suite'
	@echo 'make check       linters, types and the quick tests: what to run before a commit'
	@echo 'make lint        ruff and mypy'
	@echo 'make format      let ruff rewrite what it can'
	@echo 'make test-torch  the tests that compare with PyTorch'
	@echo 'make test-peers  the tests that compare with Keras, ONNX and ONNX Runtime'
	@echo 'make test-clients  golden vectors against the clients in C++ and JavaScript (needs g++, nlohmann-json, node)'
	@echo 'make test-simulator  the kernels for GPUs, on a simulator that needs none'
	@echo 'make test-ptx    the kernels for GPUs, compiled without one (installs about a gigabyte)'
	@echo 'make test-driver  the host code for GPUs, against a driver that computes nothing (installs the same; needs cc)'
	@echo 'make gpu         on a machine with a GPU: test the kernels there, and time them beside PyTorch, JAX and cuBLAS'
	@echo 'make mutants     change the hand-written passes one operator at a time; list what the quick tests let pass'
	@echo 'make bench       time the compiled backend next to PyTorch, JAX and the bare products, parametrizations next to LAPACK; checkers'
	@echo 'make clean       remove .venv, caches and what the demo and the examples wrote'

demo: $(VENV)/.with-cli
	$(RUN) -m enrnn_ref demo

test: $(VENV)/.with-test
	$(RUN) -m pytest $(ELSEWHERE) -n $(WORKERS) $(PYTEST_FLAGS)

test-torch: $(VENV)/.with-test $(VENV)/.with-torch
	$(RUN) -m pytest tests/torch $(PYTEST_FLAGS)

test-peers: $(VENV)/.with-test $(VENV)/.with-peers $(VENV)/.with-torch
	$(RUN) -m pytest tests/peers $(PYTEST_FLAGS)

test-clients: $(VENV)/.with-test
	$(RUN) -m pytest tests/clients $(PYTEST_FLAGS)

test-simulator: $(VENV)/.with-test
	NUMBA_ENABLE_CUDASIM=1 $(RUN) -m pytest tests/cuda -n $(WORKERS) $(PYTEST_FLAGS)

test-ptx: $(VENV)/.with-test $(VENV)/.with-cuda
	$(RUN) -m pytest tests/ptx -n $(WORKERS) $(PYTEST_FLAGS)

test-driver: $(VENV)/.with-test $(VENV)/.with-cuda
	$(RUN) -m pytest tests/driver -n $(WORKERS) $(PYTEST_FLAGS)

# The suite on the device, the checkers of memory and races (where they are there) over every rung and over training
# steps, and the benchmark.
gpu: export PYTHONPATH := $(CURDIR)
gpu:
	$(GPU_PYTHON) examples/09_cuda_ladder.py --gpu
	$(GPU_PYTHON) -m pytest tests/cuda -p no:cacheprovider $(PYTEST_FLAGS)
	if command -v compute-sanitizer > /dev/null; then for tool in memcheck racecheck; do \
	    compute-sanitizer --tool $$tool --error-exitcode 1 $(GPU_PYTHON) examples/09_cuda_ladder.py --gpu || exit 1; \
	    compute-sanitizer --tool $$tool --error-exitcode 1 $(GPU_PYTHON) -m pytest tests/cuda/test_training.py \
	        -k numbers_alone -p no:cacheprovider || exit 1; done; \
	else echo 'compute-sanitizer is not there: memory and races were not checked'; fi
	$(GPU_PYTHON) benchmarks/gpu.py

# Goes on where it was stopped; what is decided lies in .mutants/.
mutants: $(VENV)/.with-test
	$(RUN) -m tools.mutants --jobs $(WORKERS)

check: lint $(VENV)/.with-test
	$(RUN) -m pytest $(ELSEWHERE) -m 'not slow' -n $(WORKERS) $(PYTEST_FLAGS)

lint: $(VENV)/.with-lint
	$(RUN) -m ruff check
	$(RUN) -m ruff format --check
	$(RUN) -m mypy

format: $(VENV)/.with-lint
	$(RUN) -m ruff check --fix
	$(RUN) -m ruff format

# BENCH_FLAGS="--out /tmp/new --against benchmarks/results/cpu.json" compares with the committed run instead.
bench: $(VENV)/.with-test $(VENV)/.with-torch
	$(RUN) benchmarks/cpu.py $(BENCH_FLAGS)
	$(RUN) benchmarks/parametrizations.py
	$(RUN) benchmarks/gradient_checkers.py

clean:
	rm -rf $(VENV) demo-run example-output build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# A stamp is touched only after its install went through, so an interrupted set-up is simply done again.
$(VENV)/.with-%: $(VENV)/.created pyproject.toml
	@echo 'Setting up $(VENV): enrnn-ref[$*] ...'
	@$(RUN) -m pip install --quiet --disable-pip-version-check --editable '.[$*]'
	@touch $@

# A name on PATH may be a launcher without its interpreter, so each candidate is run before it is believed.
$(VENV)/.created:
	@found=; for python in $(or $(PYTHON),python3.13 python3.12 python3.11 python3); do \
	  if "$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then found=$$python; break; fi; \
	done; \
	if [ -z "$$found" ]; then \
	  echo 'No Python >= 3.11 found among: $(or $(PYTHON),python3.13 python3.12 python3.11 python3).' >&2; \
	  echo 'Install one, or name it: make PYTHON=/path/to/python3 ...' >&2; exit 1; \
	fi; \
	if ! "$$found" -c 'import ensurepip, venv' 2>/dev/null; then \
	  version=$$("$$found" -c 'import sys; print("%d.%d" % sys.version_info[:2])'); \
	  echo "$$found cannot make virtual environments: it lacks venv or ensurepip." >&2; \
	  echo "On Debian or Ubuntu: apt install python$$version-venv" >&2; exit 1; \
	fi; \
	echo "Making $(VENV) with $$("$$found" --version) ..."; \
	rm -rf $(VENV) && "$$found" -m venv $(VENV)
	@touch $@
