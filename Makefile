# make demo    two commands' worth of trust: install, run Table 1 on synthesised speech, print it
# make test    the quick suite, two files at a time
# make check   ruff and mypy
# make docs    the pages of docs/ as a site in .site/; a dead link or an unknown page fails it
# make clusters   ray up by ssh on this machine, AWS against a stand-in; needs root, sshd and rsync
# make editor  studies before yaml-language-server, which npm installs into .venv/editor
# make bench   measurements, with ratios printed; make bench-gpu: those of the network on a GPU
# make fuzz    two thousand broken recordings, of every container, are read without a traceback
# make faults  every fault of the matrix, a thousand kills; most of an hour, prints the matrix
#
# TORCH_INDEX=URL takes PyTorch from a package index of small CPU builds.

VENV := .venv
BIN := $(VENV)/bin
PYTHON := $(shell for v in 3.11 3.12 3.13 3.14; do python$$v -c "" 2>/dev/null && command -v python$$v && break; done)
INDEX := $(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX))
PYTEST := $(BIN)/python -m pytest

.PHONY: demo test check docs bench bench-gpu fuzz faults clusters editor clean

demo: $(VENV)/demo
	$(BIN)/ablate run studies/fa_position.yaml
	$(BIN)/ablate report --table 1

# In the order of the tree: by default files with few tests come last, those that start Ray among
# them, two at once. The slowest tests stand at the end of the log.
test: $(VENV)/dev
	$(PYTEST) -m "not bench and not fuzz and not faults and not clusters and not editor" -n 2 \
	  --dist loadfile --no-loadscope-reorder --durations 25

check: $(VENV)/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo --cache-dir .mypy_cache/import_linter

docs: $(VENV)/dev
	$(BIN)/python docs/generate.py
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

bench: $(VENV)/dev
	$(PYTEST) -m bench -s --timeout 3600

fuzz: $(VENV)/dev
	$(PYTEST) -m fuzz --timeout 1800

faults: $(VENV)/dev
	$(PYTEST) tests/faults -m "not bench" --timeout 5400

clusters: $(VENV)/dev
	$(PYTEST) -m clusters --timeout 1800

editor: $(VENV)/dev $(VENV)/editor/node_modules/yaml-language-server
	$(PYTEST) -m editor tests/orchestrator/study/test_editor.py

$(VENV)/editor/node_modules/yaml-language-server: | $(VENV)/dev
	npm install --silent --no-audit --no-fund --prefix $(VENV)/editor yaml-language-server@2.0.0

bench-gpu: $(VENV)/dev
	$(PYTEST) -m gpu -s --timeout 1800

$(BIN)/python:
ifeq ($(PYTHON),)
	$(error No python3.11, 3.12, 3.13 or 3.14 was found: install one of them, with venv)
endif
	@case "$$(uname -s)-$$(uname -m)" in \
	  Darwin-x86_64) echo "ablate does not run on Intel Macs: there is no Ray and no PyTorch for them."; exit 3;; \
	  MINGW*|MSYS*|CYGWIN*) echo "ablate does not run on native Windows (Ray does not): use WSL 2."; exit 3;; \
	esac
	@$(firstword $(PYTHON)) -c "import ensurepip, venv" 2>/dev/null || { \
	  echo "$(firstword $(PYTHON)) lacks venv: on Debian and Ubuntu, apt install $$(basename $(firstword $(PYTHON)))-venv."; exit 3; }
	$(firstword $(PYTHON)) -m venv $(VENV)

# An editable install: import roots as they lie. The stamp is written last.
$(VENV)/demo: $(BIN)/python pyproject.toml constraints.txt
	$(BIN)/python -m pip install --quiet $(INDEX) -c constraints.txt -e ".[demo]"
	@touch $@

$(VENV)/dev: $(BIN)/python pyproject.toml constraints.txt
	$(BIN)/python -m pip install --quiet $(INDEX) -c constraints.txt -e ".[demo,dev]"
	@touch $@ $(VENV)/demo

clean:
	rm -rf $(VENV) .site .mypy_cache .ruff_cache .pytest_cache .hypothesis
