# The commands of this repository. `make` alone lists them; each `##` comment is its line of help.

# In an empty environment a shell finds programs by a default that it does not pass on.
PATH ?= /usr/local/bin:/usr/bin:/bin
export PATH

VENV ?= .venv
DATA ?= data/cifar10
IN_VENV = $(VENV)/bin/python
# A Python that is named is used or refused; without a name the usual ones are tried.
FIND_PYTHON = sh requirements/python.sh $(or $(PYTHON),python3 python3.13 python3.12 python3.11)
# Creates the environment and installs locks; does nothing when they are there.
INSTALL = python=$$($(FIND_PYTHON)) && "$$python" requirements/install.py --venv $(VENV)

# Tests run file by file on up to four cores, in the order of tests/conftest.py; SIDE_BY_SIDE= runs them one after
# another.
SIDE_BY_SIDE ?= -n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder

comma := ,

.DEFAULT_GOAL := help
.PHONY: $(shell sed -nE 's/^([a-z][a-z-]*):( .*)?$$/\1/p' $(firstword $(MAKEFILE_LIST)))

help: ## List the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-18s %s\n", $$1, $$2}' Makefile

run: ## Start the model server and the gateway on the bundled model; Ctrl-C stops them
	@$(INSTALL) gateway model-server trainer client
	@exec $(IN_VENV) -m rekindle.stack

test: development ## Run all tests (TESTS=tests/contract runs some)
	$(IN_VENV) -m pytest $(SIDE_BY_SIDE) $(TESTS)

check: lint types imports locks ## Lint, types, import boundaries, freshness of the locks

lint: development ## Check style, format, spelling and prose
	$(IN_VENV) -m ruff check .
	$(IN_VENV) -m ruff format --check .
	$(VENV)/bin/codespell
	$(IN_VENV) docs/prose.py

types: development ## Check types
	$(IN_VENV) -m mypy
	$(IN_VENV) -m mypy helm/rekindle/monitoring/source
	$(IN_VENV) -m mypy docs/generate docs/build_site.py docs/prose.py
	$(IN_VENV) -m mypy deploy/cost.py deploy/demand.py deploy/images.py

imports: development ## Check who imports whom
	PYTHONPATH=. $(VENV)/bin/lint-imports --no-cache

locks: development ## Check that the locks belong to pyproject.toml
	$(IN_VENV) requirements/lock.py --check

format: development ## Rewrite the code in the one format
	$(IN_VENV) -m ruff check --fix .
	$(IN_VENV) -m ruff format .

lock: installer ## Resolve the locks again (UPGRADE=--upgrade takes the newest versions)
	$(IN_VENV) requirements/lock.py $(UPGRADE)

descriptors: development ## Rewrite contract/tfserving.binpb from the official package
	$(IN_VENV) tests/contract/describe_tfserving.py > contract/.new.binpb
	mv contract/.new.binpb contract/tfserving.binpb

pretrained: ## Train the bundled model on CIFAR-10 (about 40 minutes on two cores; DATA=folder for your own)
	@$(INSTALL) trainer
	$(if $(filter file,$(origin DATA)),$(IN_VENV) -m trainer fetch cifar10)
	$(IN_VENV) -m trainer run --data $(DATA) --models models --model cifar10 --preset best --seed 1 --run-id cifar10-pretrained

recipe-trial: ## Train a variant of the recipe, print validation accuracy (TRIAL="--variant NAME --epochs 6")
	@$(INSTALL) trainer
	$(IN_VENV) -m trainer.trials.recipe --data $(DATA) $(TRIAL)

two-workers: ## One run by one process and by two: metrics, images per second (WORKERS="--data FOLDER")
	@$(INSTALL) trainer
	$(IN_VENV) -m trainer.trials.two_workers $(WORKERS)

determinism: ## The same fit with and without deterministic kernels: weights, images per second
	@$(INSTALL) trainer
	$(IN_VENV) -m trainer.trials.determinism

notebook: development ## Execute notebook/walkthrough.ipynb anew and keep its outputs (two minutes)
	$(IN_VENV) notebook/execute.py

bench: development ## Requests per second beside the peers (needs wrk; BENCH="--rounds 1 --seconds 2")
	$(IN_VENV) -m load_tests.peers.bench $(BENCH)

docs: ## Build the documentation as a site into build/site
	@$(INSTALL) docs
	$(IN_VENV) docs/build_site.py

reference: development ## Rewrite what the documents take from the code, and the dashboards
	$(IN_VENV) -m model_server.parity docs/model-server.md
	$(IN_VENV) -m gateway.reference docs
	$(IN_VENV) helm/rekindle/monitoring/source
	$(IN_VENV) docs/generate

soak-model-server: development ## Swaps and label moves under 32 clients: failures, memory
	$(IN_VENV) -m load_tests.model_server.soak

quota-model-server: development ## The model server with half a CPU (as root, on Linux)
	$(IN_VENV) -m load_tests.model_server.quota

bench-model-server: development ## The model server beside the raw TensorFlow call (needs h2load)
	$(IN_VENV) -m load_tests.model_server.bench $(BENCH)

footprint: development ## Import time and memory of the gateway
	$(IN_VENV) requirements/install.py --venv build/gateway-alone gateway
	$(IN_VENV) -m load_tests.footprint --python build/gateway-alone/bin/python

stale: development ## Publish on a volume whose readers see it 30 s late: failures, seconds (as root, needs bindfs)
	$(IN_VENV) -m load_tests.stale

swap: development ## Publish versions under 16 clients: failures, seconds
	$(IN_VENV) -m load_tests.swap

history-pages: development ## Milliseconds of pages of a history of a million rows (ROWS=--postgresql)
	$(IN_VENV) -m load_tests.history.rows $(ROWS)

gateway-cost: development ## What history, tokens and quotas cost beside a bare gateway (needs wrk)
	$(IN_VENV) -m load_tests.gateway_cost

failover: development ## One of three model servers killed, then frozen, under load: failures, seconds
	$(IN_VENV) -m load_tests.faults.replicas

outage: development ## PostgreSQL away for a minute under load: failures, rows missing (needs PostgreSQL)
	$(IN_VENV) -m load_tests.faults.database

big-upload: development ## A zip of a gigabyte while predictions go on: memory, rate (UPLOAD="--pictures 30000 --clients 0")
	$(IN_VENV) -m load_tests.faults.big_upload $(UPLOAD)

canary-simulation: development ## False alarms of equally good canaries, seconds until worse ones are seen
	$(IN_VENV) -m gateway.canary.simulation $(SIMULATION)

canary-live: development ## Bad canaries under load: seconds until rolled back (CANARY="--pictures FOLDER")
	$(IN_VENV) -m load_tests.live.canary $(CANARY)

drift-check: development ## 50,000 normal and then shifted pictures: alarms (DRIFT="--pictures FOLDER")
	$(IN_VENV) -m load_tests.live.drift $(DRIFT)
locust: development ## Locust's page at http://127.0.0.1:8089 (URL=gateway SHAPE=spike LOCUST="--headless …")
	$(IN_VENV) -m locust --web-host 127.0.0.1 --host $(or $(URL),http://127.0.0.1:8000) \
		-f load_tests/locustfile.py$(if $(SHAPE),$(comma)load_tests/shapes.py --shape $(SHAPE)) $(LOCUST)

load-test: development ## 50, 100, 200 users on 1, 2, 3 limited replicas (as root, on Linux; COMPARE="--minutes 4")
	$(IN_VENV) -m load_tests.compare $(COMPARE)

capacity: development ## Replicas for a rate, the autoscaler's target, a table (CAPACITY="--rate 500 --p99 200")
	$(IN_VENV) -m load_tests.capacity $(CAPACITY)

overload: development ## Three times what a limited replica can do: goodput, refusals, recovery (as root, on Linux)
	$(IN_VENV) -m load_tests.overload

moves: development ## Swap, rollback and canary under 200 users: failures, p99
	$(IN_VENV) -m load_tests.moves

soak: development ## An hour at 80 % of the capacity with swaps: failures, memory (SOAK="--minutes 5")
	$(IN_VENV) -m load_tests.soak $(SOAK)
chart: development ## Rewrite the chart's README and schema from the comments in values.yaml
	PYTHONPATH=. $(IN_VENV) helm/describe.py

manifests: development ## Render k8s/base, k8s/monitoring and the list of images from the chart (needs helm)
	$(IN_VENV) helm/manifests.py $(HELM)
	$(IN_VENV) deploy/images.py $(HELM)

cost: development ## What the deployment guides ask for and cost, into docs/deploy/cost.md (needs helm)
	$(IN_VENV) deploy/cost.py $(COST)

chart-schemas: development ## Keep the API server's schemas for the chart's tests (needs kubectl, go, KUBECONFIG)
	$(IN_VENV) tests/chart/schemas.py

e2e: development ## The whole on a real cluster and with Compose (needs KUBECONFIG, helm, kubectl, docker)
	REKINDLE_E2E=1 $(IN_VENV) -m pytest -x -s --timeout 900 -o timeout_func_only=true tests/cluster $(E2E)

dashboard-weight: development ## Bytes and first paint of each page (ROWS="--rows 1000000"; needs chromium)
	$(IN_VENV) -m load_tests.dashboard.weight $(ROWS)

dashboard-soak: development ## Two hours of an open overview, wound forward: memory, open requests (needs chromium)
	$(IN_VENV) -m load_tests.dashboard.soak

screenshots: development ## Pictures of every page into build/screenshots, and those of the README (needs chromium)
	$(IN_VENV) -m load_tests.dashboard.screenshots build/screenshots --readme docs/pictures/dashboard

demo: development ## The whole loop in a browser: pictures and a video in build/demo (needs chromium, ffmpeg)
	$(IN_VENV) -m load_tests.dashboard.demo $(DEMO)

learning-shift: development ## 500 corrections, one retrain: accuracy before and after (DATA=folder SHIFT=inverted)
	$(IN_VENV) -m load_tests.learning.shift $(DATA) $(or $(SHIFT),inverted) $(LEARNING)

learning-poison: development ## Poisoned and honest retrains: how many go live (DATA=folder LEARNING="--poisoned 20")
	$(IN_VENV) -m load_tests.learning.poison $(DATA) $(LEARNING)

learning-kills: development ## SIGKILL at 30 moments of a fine-tune under traffic (DATA=folder)
	$(IN_VENV) -m load_tests.learning.kills $(DATA) $(LEARNING)
capacity-cluster: development ## Images per second of one model server there (KUBECONFIG; CAPACITY="--namespace N --image I")
	$(IN_VENV) tests/cluster/capacity.py $(CAPACITY)

release: development ## Set a version everywhere and build it into dist/ (VERSION=1.2.3; needs helm, git)
	$(IN_VENV) -m releasing $(VERSION)

wheel-check: development ## The wheel with each extra in an empty environment: imports, sizes
	$(IN_VENV) -m releasing.installed $(wildcard dist/*.whl)

release-check: development wheel-check ## wheel-check, and all tests in the unpacked dist/*.zip, as a stranger runs them
	$(IN_VENV) -m releasing.unpacked $(wildcard dist/*.zip) make test

clean: ## Remove the environment and everything that tools left
	rm -rf $(VENV) build dist *.egg-info .*_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.PHONY: development installer
development installer:
	@$(INSTALL) $@
