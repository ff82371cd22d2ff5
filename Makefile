# The course and its package. `make help` lists what can be done here.
SHELL := bash
PYTHON ?= python3
VENV ?= .venv
TORCH ?=
TORCH_ARGS ?=
export TORCH TORCH_ARGS

PY := $(VENV)/bin/python
READY := $(VENV)/.ready
NOTEBOOKS := $(sort $(wildcard book/*.ipynb))
STAMPS := $(NOTEBOOKS:book/%.ipynb=_build/stamps/%.nbval)
PACKAGE := $(shell find minrm -name '*.py')
DATA := $(shell find data -type f ! -name '*.md' ! -name '*.pyc' ! -path '*/.*' ! -path 'data/work/*' 2>/dev/null)
PAGES := $(shell find book -type f ! -path '*/.*') _config.yml _toc.yml
AGAIN := $(MAKE) --no-print-directory

.PHONY: help env book test check gate html pages compat trl bench refresh data real assignment grade lint clean fork FORCE
.DELETE_ON_ERROR:

help:  ## this list
	@awk -F ':[^#]*## ' '/^[a-z]+:.*##/ { printf "  make %-11s%s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# ---- the environment: made once, again only when what it is made from changes, or another torch is asked for
env: $(READY)  ## the environment in .venv (TORCH=2.11.0 chooses torch, TORCH_ARGS="…" tells pip where to get it)
	@true

$(READY): requirements.txt pyproject.toml
	@$(PYTHON) tools/make_env.py $(VENV)

ifneq ($(TORCH),)
ifneq ($(TORCH),$(shell cat $(READY) 2>/dev/null))
$(READY): FORCE
endif
endif

# ---- proof
test: env  ## the tests with coverage, then every chapter against its stored outputs
	@$(PY) -m pytest --cov=minrm --cov-report=term
	@$(AGAIN) check gate

check: env
	@$(PY) tools/check_notebooks.py $(NOTEBOOKS)

gate: $(STAMPS)
	@echo "✓ $(words $(NOTEBOOKS)) notebooks come out as stored"

_build/stamps/%.nbval: book/%.ipynb $(PACKAGE) $(DATA) requirements.txt tests/notebooks/sanitize.cfg tools/prove_notebook.py | $(READY)
	@$(PY) tools/prove_notebook.py $< $@

# Colab's versions of all but torch, chosen as in make env, and what it brings (CUDA, Triton, a newer setuptools), and
# of what Colab has not
COMPAT := .venv-compat
TESTERS := pytest pytest-timeout hypothesis nbval nbclient ipykernel scikit-learn markdown-it-py docutils

compat: $(COMPAT)/.ready  ## the tests under the versions that Colab has, in .venv-compat (TESTS=tests/test_orm.py for some)
	@$(COMPAT)/bin/python -m pytest $(TESTS)

$(COMPAT)/.ready: tests/colab-constraints.txt pyproject.toml
	@mkdir -p _build
	@grep -vE '^(torch|triton|nvidia-|cuda-|setuptools)' tests/colab-constraints.txt > _build/compat.txt
	@$(PYTHON) tools/make_env.py $(COMPAT) --constraint _build/compat.txt --editable '.[gpu,endpoint]' $(TESTERS)

# TRL's own trainers with our rewards, in an environment of its own: TRL asks for a later datasets than Colab has
TRL := .venv-trl

trl: $(TRL)/.ready  ## our reward models as rewards of TRL's trainers, five updates each, in .venv-trl
	@$(TRL)/bin/python -m pytest tests/using/test_trl_trains.py

$(TRL)/.ready: pyproject.toml
	@$(PYTHON) tools/make_env.py $(TRL) --editable '.[bench]' pytest pytest-timeout hypothesis

# ---- time and memory: no part of the tests, which would measure whatever else the machine does
bench: env  ## minrm beside the usual ways, into tests/bench/results.json (ONLY="P1 P3" for some, QUICK=1 for a look)
	@PYTHONPATH=.:tests:tools $(PY) -m bench.run $(ONLY) $(if $(QUICK),--quick)

# ---- the book: proven, then rendered whatever the proof says
book: env  ## every chapter executed and compared, then the book in _build/html
	@rm -f _build/stamps/*.failed; status=0; \
	$(AGAIN) check || status=1; \
	$(AGAIN) -k gate || status=1; \
	$(AGAIN) html || status=1; \
	cat _build/stamps/*.failed 2>/dev/null; \
	[ $$status = 0 ] || echo "✗ the book is not as it should be: see above"; \
	exit $$status

html: _build/stamps/html
	@echo "The book: open _build/html/index.html in a browser (or: python3 -m http.server -d _build/html)"

_build/stamps/html: $(PAGES) $(PACKAGE) requirements.txt tools/run_table.py \
    tools/performance.py $(wildcard tests/bench/results.json) | $(READY)
	@rm -rf _build/html _build/.doctrees
	@mkdir -p _build/stamps
	@$(PY) tools/run_table.py > _build/run.md
	@$(PY) tools/performance.py > _build/performance.md
	@$(VENV)/bin/jupyter-book build . -W -n --keep-going > _build/html.log 2>&1 \
	  || { tr -d '\033' < _build/html.log | sed -E 's/\[[0-9;]*m//g' \
	    | grep -E 'WARNING|ERROR|CRITICAL|^[A-Z]\w*(Error|Exception):'; echo "✗ the pages have warnings: _build/html.log"; exit 1; }
	@touch $@

pages: html  ## every rendered page in an installed Chromium, at two widths, light and dark: some minutes
	@$(PY) -m pytest -rs tests/notebooks/test_pages.py

# ---- making what is stored
refresh: env  ## execute chapters in place and store their outputs (CHAPTER=01 for one)
	@$(PY) tools/refresh.py $(CHAPTER)

data: env  ## rebuild data/ from nothing (QUICK=1: the same way in three minutes; OUT=folder: elsewhere)
	@$(PY) data/recipe.py $(if $(QUICK),--quick) $(if $(OUT),--out $(OUT))

REAL := $(if $(GSM8K),--gsm8k "$(GSM8K)") $(if $(HH),--hh "$(HH)") --solutions "$(SOLUTIONS)" --prm800k "$(PRM800K)"

real: env  ## a public model on public data, recorded in six hours (tools/real/README.md: SOLUTIONS= PRM800K= …)
	@PYTHONPATH=tools $(PY) tools/real/record.py $(REAL) $(if $(QUICK),--quick) $(if $(OUT),--out "$(OUT)")

# ---- teaching
assignment: env  ## the assignments for a class, in dist/: of each its notebook, handout, autograder.zip
	@$(PY) tools/assignment/build.py

grade: env  ## grade a folder of notebooks (SUBMISSIONS=, ASSIGNMENT=final_token, OUT=, JOBS=2, TIME=30, MEMORY=2048)
	@$(PY) tools/assignment/grade.py "$(SUBMISSIONS)" $(if $(OUT),--out "$(OUT)") $(if $(JOBS),--jobs $(JOBS)) \
	  $(if $(TIME),--time $(TIME)) $(if $(MEMORY),--memory $(MEMORY)) $(if $(ASSIGNMENT),--assignment $(ASSIGNMENT))

# ---- care
lint: env  ## ruff and mypy, and turns of phrase that pages and messages do without
	@$(PY) -m ruff check .
	@$(PY) -m ruff format --check .
	@$(PY) -m mypy
	@$(PY) tools/check_english.py

fork:  ## point every badge, install line and link at REPOSITORY=https://github.com/ORG/NAME
	@$(PYTHON) tools/fork.py $(REPOSITORY)

clean:  ## remove what was built (the environment stays)
	@rm -rf _build build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage
	@find minrm data tests tools -name __pycache__ -type d -prune -exec rm -rf {} +
