# Every command of the project; `make` alone lists them.
.DEFAULT_GOAL := help
VENV   ?= .venv
PORT   ?= 8000
PYTHON ?=
PART   ?=
MINUTES ?=
NAME   ?=
PAGES  ?=
TAG    ?=
PDF    ?=
export VENV PORT PYTHON PART MINUTES NAME PAGES TAG PDF

# Any Python can run this; it makes the virtual environment, and keeps the machine's settings out.
RUN := @python=$$(sh scripts/find_python.sh) && "$$python" -I scripts/commands.py

.PHONY: help setup book test test-oldest test-newest test-webkit lecture serve lab site-report notebooks quizzes course slides pdf bundle bench mutants lint format doctor clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile

setup: ## the virtual environment alone (the others do it too)
	$(RUN) setup

book: ## build the book as a web site (some minutes the first time; then only what changed)
	$(RUN) book

test: ## check everything the book says, and the site itself (up to an hour)
	$(RUN) test

test-oldest: ## test the package with the lowest versions it allows (PART=short: without PyTorch)
	$(RUN) test-oldest

test-newest: ## test the package with the newest versions there are, any warning an error
	$(RUN) test-newest

test-webkit: ## the pages in WebKitGTK, as in Firefox by `make test` (PAGES=imd/steps,intro)
	$(RUN) test-webkit

lecture: ## build one page while you write it, and open it (NAME=imd/scale-and-shape)
	$(RUN) lecture

serve: ## build the book and serve it on localhost (PORT=8000)
	$(RUN) serve

slides: ## a deck for each lecture, to be shown without a network (PDF=1: printed as well)
	$(RUN) slides

pdf: ## each lecture, the problem sets and the whole book on paper (NAME=imd/steps: that lecture)
	$(RUN) pdf

lab: ## open the notebooks in JupyterLab, which is installed for it (PORT=8000)
	$(RUN) lab

site-report: ## speed, weight and formulas of the built pages, in a table (PAGES=imd/steps,intro)
	$(RUN) site-report

notebooks: ## write book/*.ipynb from book/*.md
	$(RUN) notebooks

quizzes: ## write the lectures' questions for a learning platform, as GIFT and QTI
	$(RUN) quizzes

course: ## notebooks for students and instructors, and homework, in _build/course (TAG=2027-spring)
	$(RUN) course

bundle: ## the site, the student notebooks and the package in one zip, for a class without a network
	$(RUN) bundle

bench: ## measure ibtools against what one would use instead
	$(RUN) bench

mutants: ## change one sign or number of a formula at a time: does a test notice? (MINUTES=30)
	$(RUN) mutants

lint: ## formatting, style and types
	$(RUN) lint

format: ## put the code into its standard form
	$(RUN) format

doctor: ## what to put into a report of an error: versions, machine, what differs from the pins
	$(RUN) doctor

clean: ## remove what was built (the virtual environment stays)
	rm -rf _build .pytest_cache .mypy_cache .ruff_cache .hypothesis src/*.egg-info
	find src tests benchmarks book scripts -name __pycache__ -type d -prune -exec rm -rf {} +
