# One way to do each habit. `make demo` and `make test` need Python 3.11 or newer and a package index, nothing else.
PYTHON ?= python3
VENV := .venv
# Slow tests wait more than they compute: for servers, and for hosts that do not answer.
SLOW_AT_ONCE ?= $(shell expr $$(nproc) + 1)
BIN := $(VENV)/bin

.PHONY: demo test test-fast test-labelstudio test-potato lint docs bench constraints clean

demo: $(VENV)/installed
	$(BIN)/waon-build demo

test: $(VENV)/installed-dev lint
	$(BIN)/pytest -m "not slow" -n auto
	$(BIN)/pytest -m slow -n $(SLOW_AT_ONCE) --dist worksteal

test-fast: $(VENV)/installed-dev
	$(BIN)/pytest -m "not slow" -n auto -x

# Other tools, for real. Each has an environment of its own (Label Studio 1 GB, Potato 0.5 GB); `make test` skips them.
test-labelstudio: $(VENV)/installed-dev .venv-labelstudio/installed
	WAON_LABEL_STUDIO=.venv-labelstudio/bin/label-studio $(BIN)/pytest tests/annotation/connectors/test_real_label_studio.py

test-potato: $(VENV)/installed-dev .venv-potato/installed
	WAON_POTATO=.venv-potato/bin/potato $(BIN)/pytest tests/annotation/connectors/test_real_potato.py

lint: $(VENV)/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: $(VENV)/installed
	$(BIN)/python -m waon_build.reference docs

bench: $(VENV)/installed-dev
	for script in benchmarks/*.py; do echo "== $$script"; $(BIN)/python $$script || exit 1; done

# What is installed, exactly. No address of a package index is written.
constraints: $(VENV)/installed-dev
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip compile --quiet --universal --no-emit-index-url --no-emit-find-links --no-header --no-annotate \
		--python-version 3.11 --extra dev --extra s3 --extra postgres --extra dask --extra ray \
		--output-file constraints.txt pyproject.toml

$(VENV)/installed: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e .
	touch $@

$(VENV)/installed-dev: $(VENV)/installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[dev,s3,postgres,dask,ray]"
	touch $@

.venv-labelstudio/installed:
	$(PYTHON) -m venv .venv-labelstudio
	.venv-labelstudio/bin/python -m pip install --quiet --disable-pip-version-check "label-studio==1.23.*"
	touch $@

.venv-potato/installed:
	$(PYTHON) -m venv .venv-potato
	.venv-potato/bin/python -m pip install --quiet --disable-pip-version-check "potato-annotation==2.12.*"
	touch $@

clean:
	rm -rf $(VENV) .venv-labelstudio .venv-potato demo-corpus .pytest_cache .mypy_cache .ruff_cache .hypothesis
