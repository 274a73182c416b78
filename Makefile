# Needs make and a Python 3.11 to 3.13 that has venv; everything else is installed into .venv from hashed lock files.
.DEFAULT_GOAL := help
SHELL := /bin/bash

VENV := .venv
BIN := $(VENV)/bin
LOCK := requirements/dev.txt
# Named after what was installed, so that a changed lock or project file installs again and nothing else does.
STAMP = $(VENV)/installed-$(shell cat $(LOCK) pyproject.toml | cksum | cut -d' ' -f1)

help:  ## list the targets
	@printf 'lstm-grader grades one exercise: a class LSTM that equals tf.keras.layers.LSTM\n\n'
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@printf '\nAnother Python: make setup PYTHON=/path/to/python3.12. Settings: docs/settings.md.\n'

setup: $(STAMP)  ## create .venv from the hashed lock files (done by every other target too)

$(STAMP):
	@bash requirements/setup.sh "$(VENV)" "$(LOCK)"
	@rm -f $(VENV)/installed-*
	@touch $@

# Environments of their own: the platforms that tests speak to lock other versions than we do, and the site of the documents
# needs what nothing else does.
PEERS := .venv-peers
PEERS_STAMP = $(PEERS)/installed-$(shell cksum <requirements/peers.txt | cut -d' ' -f1)
SITE := .venv-docs
SITE_STAMP = $(SITE)/installed-$(shell cksum <requirements/docs.txt | cut -d' ' -f1)

define environment
@$(BIN)/python -m venv --clear $(1)
@$(1)/bin/python -m pip install --disable-pip-version-check --quiet --no-deps --require-hashes --requirement requirements/$(2).txt
@touch $@
endef

peers: $(PEERS_STAMP)  ## create .venv-peers with the platforms that tests speak to (done by test-all too)

$(PEERS_STAMP): | $(STAMP)
	$(call environment,$(PEERS),peers)

$(SITE_STAMP): | $(STAMP)
	$(call environment,$(SITE),docs)

RELEASE := .venv-release
RELEASE_STAMP = $(RELEASE)/installed-$(shell cksum <requirements/release.txt | cut -d' ' -f1)

$(RELEASE_STAMP): | $(STAMP)
	$(call environment,$(RELEASE),release)

docs: $(SITE_STAMP)  ## build the site of the documents in build/site, and check its links
	@NO_MKDOCS_2_WARNING=1 $(SITE)/bin/mkdocs build --strict

pictures: setup  ## make the pictures of README.md anew, in docs/pictures
	$(BIN)/pytest tests/acceptance/test_pictures.py --pictures

ifdef PYTHON
# Asked for a certain Python: look whether the environment has it.
.PHONY: $(STAMP)
endif

serve: setup  ## start the service on http://127.0.0.1:8000 and print a link that lets you in
	@$(BIN)/lstm-grader serve

# Each keeps TensorFlow warm for itself.
WORKERS := 3
PYTEST = $(BIN)/pytest -n $(WORKERS)
# Tests start hundreds of processes, each of which would compile our modules again.
unexport PYTHONDONTWRITEBYTECODE

test: setup  ## run what a change can break (10 minutes), in three processes (make test WORKERS=4: in four)
	$(PYTEST) -m "not thorough"

test-all: setup peers  ## run every test once, those of make test among them (half an hour)
	$(PYTEST)

test-unit: setup  ## run those of make test that need no TensorFlow, process or socket (minutes)
	$(PYTEST) -m "not thorough" tests/unit

lint: setup $(SITE_STAMP)  ## ruff, mypy, import contracts, and what the texts of tests, documents and commits must be like
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	.ci/subjects
	$(BIN)/pytest tests/lint

bench: setup  ## measure what a grade costs, with BASE=FOLDER against another version; to .benchmarks/bench.json too
	$(call benchmark,test_cost.py tests/benchmarks/test_mutations.py,bench.json)

SEED := 1
mutations: setup  ## print what the diagnosis says of wrong formulas that nobody has listed; SEED=N draws others
	SHOW=1 OPENBLAS_NUM_THREADS=1 SEED=$(SEED) $(BIN)/pytest -q -s tests/benchmarks/test_mutations.py --benchmark-only

bench-load: setup  ## measure a deadline on both databases; takes ten minutes, with SHORT=1 three; to .benchmarks/bench-load.json
	$(call benchmark,test_load.py tests/benchmarks/test_launches.py $(if $(SHORT),-k "accepting or launches"),bench-load.json)

bench-pages: setup  ## measure how soon a phone shows each page; to .benchmarks/bench-pages.json
	$(call benchmark,test_pages.py,bench-pages.json)

define benchmark
@mkdir -p .benchmarks
$(if $(BASE),LSTM_GRADER_BENCH_BASE=$(abspath $(BASE)) )$(BIN)/pytest tests/benchmarks/$(1) --benchmark-only --benchmark-columns=median,iqr,rounds --benchmark-json=.benchmarks/$(2)
endef

# Of the autograder: an assignment's id or file, and the language of its reports.
ASSIGNMENT := lstm-layer
LANGUAGE := en

gradescope-zip: setup  ## build dist/gradescope.zip, an autograder for Gradescope; ASSIGNMENT=ID or FILE, LANGUAGE=en or ru
	@bash deploy/gradescope/zip.sh $(BIN)/python "$(ASSIGNMENT)" "$(LANGUAGE)"

test-image:  ## build the container image with docker, and check that it serves and grades
	@.ci/test-image

wheel: setup  ## build the wheel, and copy the lock that is installed before it; to dist/
	@$(BIN)/python -m pip wheel --disable-pip-version-check --quiet --no-index --no-deps --no-build-isolation --wheel-dir dist .
	@cp requirements/cpu.txt requirements/gpu.txt dist
	@ls dist/lstm_grader-*.whl dist/*.txt

sbom: setup $(RELEASE_STAMP)  ## list the packages that ship, with licences (CycloneDX); to dist/sbom.json and dist/licences.txt
	@$(RELEASE)/bin/cyclonedx-py environment --pyproject pyproject.toml --gather-license-texts --output-reproducible \
	  $(BIN)/python | $(BIN)/python requirements/sbom.py requirements/cpu.txt dist

audit: $(RELEASE_STAMP)  ## ask PyPI for known holes in the packages that ship
	@for lock in cpu gpu; do \
	  $(RELEASE)/bin/pip-audit --strict --disable-pip --require-hashes --requirement requirements/$$lock.txt || exit 1; done

lock:  ## resolve the lock files again (needs uv)
	bash requirements/lock.sh

.PHONY: help setup peers docs pictures serve test test-all test-unit lint bench mutations bench-load bench-pages gradescope-zip test-image wheel sbom audit lock
