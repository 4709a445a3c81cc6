# make run     set everything up and start the server with the embedded engines (ARGS="--port 9000")
# make test    set everything up and run the quick tests (ARGS="-k barge")
# make slow    the tests that take longer than the quick ones may
# make interop the tests with real clients: Python and Node SDKs
# make lint    ruff and mypy
# make bench   the benchmarks
# make web     build the talking page anew, which is committed as it is built; needs Node with npm
# make web-check  test the page and show that what is committed is what its source builds
# make lock    resolve the dependencies again after a change (UPGRADE=--upgrade takes newer versions)
# make clean   remove what the other targets made

ARGS ?=
SHELL := /bin/sh
.DELETE_ON_ERROR:

PIP := .venv/bin/python -m pip --disable-pip-version-check --quiet
INSTALL := $(PIP) install --require-hashes --only-binary :all: --progress-bar off

# A virtual environment works only where it was made: its stamps name the folder.
HERE := $(shell pwd | cksum | cut -d ' ' -f 1)
BASE := .venv/base-$(HERE)
DEV := .venv/dev-$(HERE)
# Nor does it work when the Python that it was made with is gone.
ifeq ($(wildcard .venv/bin/python),)
$(BASE): always
endif

.PHONY: run test slow interop slow-and-interop heard unheard lint bench web web-check lock setup clean always

run: $(BASE)
	@exec .venv/bin/vivavoce serve $(ARGS)

test: $(DEV)
	.venv/bin/python -m pytest --timeout 120 $(ARGS)

slow: $(DEV)
	.venv/bin/python -m pytest -m slow --timeout 900 $(ARGS)

interop: $(DEV)
	.venv/bin/python -m pytest -m interop --timeout 600 $(ARGS)

slow-and-interop: $(DEV)
	.venv/bin/python -m pytest -m "slow or interop" --timeout 900 --durations 25 $(ARGS)

# Those that are heard take the time that sound takes, the others that of the processor: they go well together.
heard: $(DEV)
	.venv/bin/python -m pytest -m heard --timeout 900 --durations 25 $(ARGS)

unheard: $(DEV)
	.venv/bin/python -m pytest -m "(slow or interop) and not heard" --timeout 900 --durations 25 $(ARGS)

lint: $(DEV)
	@status=0; for check in "ruff check ." "ruff format --check ." mypy; do \
	    echo ".venv/bin/$$check"; .venv/bin/$$check || status=1; done; exit $$status

bench: $(DEV)
	@for script in bench/[!_]*.py; do echo "== $$script"; .venv/bin/python "$$script" $(ARGS) || exit 1; done

WEB_MODULES := web/node_modules/.package-lock.json

$(WEB_MODULES): web/package.json web/package-lock.json web/.npmrc
	@command -v npm >/dev/null || { echo "The page is built with Node and npm, which are not here; only its makers need them." >&2; exit 1; }
	# Not `npm ci`: its newer versions refuse a lock file that lacks packages for other systems, which a registry may not have.
	cd web && npm install --no-save --ignore-scripts --no-audit --no-fund
	@touch $@

web: $(WEB_MODULES)
	cd web && npm run check && npm run build

web-check: $(WEB_MODULES)
	@! grep -q '"resolved"' web/package-lock.json || { echo "web/package-lock.json names where packages came from" >&2; exit 1; }
	cd web && npm run check && npm test && npm run build -- --outDir dist
	diff -r web/dist src/vivavoce/web

setup: $(DEV)

$(BASE): requirements/base.txt requirements/build.txt pyproject.toml scripts/python.sh
	@python="$$(sh scripts/python.sh)" || exit 1; \
	echo "Setting up .venv with $$python (once; a minute or two)"; \
	"$$python" -m venv --clear .venv || { \
	    echo "This Python cannot make virtual environments; on Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }
	@$(INSTALL) -r requirements/build.txt -r requirements/base.txt
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

$(DEV): $(BASE) requirements/dev.txt
	@$(INSTALL) -r requirements/dev.txt
	@touch $@

LOCK := env UV_NO_CONFIG=1 UV_CUSTOM_COMPILE_COMMAND="make lock" .venv/lock/bin/uv pip compile --quiet --universal \
	--python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links
INTEROP := tests/interop/requirements

lock: $(BASE)
	@.venv/bin/python -m venv .venv/lock
	@.venv/lock/bin/python -m pip --disable-pip-version-check --quiet install --require-hashes --only-binary :all: \
	    -r requirements/lock.txt -r $(INTEROP)/node.txt
	$(LOCK) $(UPGRADE) pyproject.toml -o requirements/base.txt
	$(LOCK) $(UPGRADE) --group dev -c requirements/base.txt -o requirements/dev.txt
	$(LOCK) $(UPGRADE) requirements/build.in -o requirements/build.txt
	$(LOCK) $(UPGRADE) requirements/lock.in -o requirements/lock.txt
	@for name in $(INTEROP)/*.in; do $(LOCK) $(UPGRADE) "$$name" -o "$${name%.in}.txt" || exit 1; done
	cd tests/interop/node && ../../../.venv/lock/bin/npm install --package-lock-only --ignore-scripts --silent

clean:
	rm -rf .venv .venv-interop tests/interop/node/node_modules web/node_modules web/dist .pytest_cache .mypy_cache .ruff_cache .hypothesis dist build
