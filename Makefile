# Every command of the project; `make` alone lists them.
.DEFAULT_GOAL := help
VENV   ?= .venv
PORT   ?= 8000
PYTHON ?=
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
SITE   := _build/html

.PHONY: help book test serve notebooks bench lint format clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' Makefile

book: $(READY) ## build the book as a web site (sets everything up first)
	@echo "Building the book: every chapter is run, unless neither it nor the package changed."
	@$(BIN)/jupyter-book build -W -n --keep-going .
	@echo
	@echo "The book is built. Read it in a browser:"
	@echo "    file://$(CURDIR)/$(SITE)/index.html"
	@echo "or type 'make serve' and open http://localhost:$(PORT)."

test: $(READY) ## check everything the book says, and the site itself (sets everything up first)
	@$(BIN)/python scripts/check.py

serve: book ## build the book and serve it on localhost (PORT=8000)
	@echo "Serving the book at http://localhost:$(PORT); stop with Ctrl-C."
	@$(BIN)/python -m http.server --bind 127.0.0.1 --directory $(SITE) $(PORT)

notebooks: $(READY) ## write book/*.ipynb from book/*.md
	@$(BIN)/python scripts/notebooks.py

bench: $(READY) ## measure ibtools against what one would use instead
	@$(BIN)/python -m pip install --quiet -r benchmarks/requirements.txt || \
		echo "Some competitors do not install here; their rows will say so."
	@$(BIN)/python -m benchmarks

lint: $(READY) ## formatting, style and types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

format: $(READY) ## put the code into its standard form
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean: ## remove what was built (the virtual environment stays)
	rm -rf _build .pytest_cache .mypy_cache .ruff_cache .hypothesis src/*.egg-info
	find src tests benchmarks book scripts -name __pycache__ -type d -prune -exec rm -rf {} +

$(READY): requirements.txt pyproject.toml scripts/environment.py
	@python=$$(PYTHON="$(PYTHON)" sh scripts/find_python.sh) && "$$python" scripts/environment.py $(VENV)
	@touch $@
	@echo "Set-up is done; it runs again only when requirements.txt or pyproject.toml change."
