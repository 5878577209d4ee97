# Everything starts from a machine that has only Python (3.11 or newer) and make.

BIN := .venv/bin
INTEROP := .venv-interop/bin
SPEED := foundation imports data optim training vision photos text tabular collab notebook
export PYTHON ?= python3

.PHONY: help venv demo test check test-interop bench docs facade format clean

help: ## Show this list
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

venv: ## Create or refresh .venv from the tested pins
	@sh tools/setup_env.sh core

demo: venv ## Train on real photographs, save pictures and a model, and use it in a new process
	$(BIN)/python examples/pets.py

test: check ## Run the checks, the whole test suite and the tutorials
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 -q
	OMP_NUM_THREADS=1 $(BIN)/lamina nb test docs/tutorials --n-workers 2

check: venv ## Format, lint, types, layers and the house laws
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports
	$(BIN)/python tools/budget.py
	$(BIN)/python tools/laws.py
	$(BIN)/python tools/ignores.py
	$(BIN)/python tools/docs_law.py
	$(BIN)/python tools/names.py
	$(BIN)/python tools/facade.py --check
	$(BIN)/pyright

test-interop: ## Test against torchvision and timm in a second environment (6 GB)
	@sh tools/setup_env.sh interop
	OMP_NUM_THREADS=1 $(INTEROP)/python -m pytest -q -m interop tests/interop

bench: venv ## Run the benchmarks of speed; those of what models reach name their data in their heads
	@for name in $(SPEED); do echo "== $$name"; $(BIN)/python "benchmarks/$$name.py" || exit 1; done

docs: venv ## Build the documentation into out/site; broken links are an error
	$(BIN)/lamina nb docs --strict

facade: venv ## Write the all.py facades from the modules' __all__
	$(BIN)/python tools/facade.py

format: venv ## Format the code and apply the safe fixes
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean: ## Remove environments, caches and outputs
	rm -rf .venv .venv-interop out build dist .pytest_cache .ruff_cache .hypothesis
	rm -rf .import_linter_cache .benchmarks
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
