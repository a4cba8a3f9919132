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

.DEFAULT_GOAL := help
.PHONY: help run test check lint types imports locks format lock descriptors pretrained bench footprint swap reference \
	soak-model-server quota-model-server bench-model-server history-pages gateway-cost failover outage big-upload chart manifests chart-schemas e2e capacity-cluster clean

help: ## List the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-18s %s\n", $$1, $$2}' Makefile

run: ## Start the model server and the gateway on the bundled model; Ctrl-C stops them
	@$(INSTALL) gateway model-server trainer client
	@exec $(IN_VENV) -m rekindle.stack

test: development ## Run all tests (TESTS=tests/contract runs some)
	$(IN_VENV) -m pytest $(TESTS)

check: lint types imports locks ## Lint, types, import boundaries, freshness of the locks

lint: development ## Check style and format
	$(IN_VENV) -m ruff check .
	$(IN_VENV) -m ruff format --check .

types: development ## Check types
	$(IN_VENV) -m mypy

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

bench: development ## Requests per second beside the peers (needs wrk; BENCH="--rounds 1 --seconds 2")
	$(IN_VENV) -m load_tests.peers.bench $(BENCH)

reference: development ## Rewrite what the documents take from the code: docs/settings.md, errors.md, model-server.md
	$(IN_VENV) -m model_server.parity docs/model-server.md
	$(IN_VENV) -m gateway.reference docs

soak-model-server: development ## Swaps and label moves under 32 clients: failures, memory
	$(IN_VENV) -m load_tests.model_server.soak

quota-model-server: development ## The model server with half a CPU (as root, on Linux)
	$(IN_VENV) -m load_tests.model_server.quota

bench-model-server: development ## The model server beside the raw TensorFlow call
	$(IN_VENV) -m load_tests.model_server.bench $(BENCH)

footprint: development ## Import time and memory of the gateway
	$(IN_VENV) -m load_tests.footprint

swap: development ## Publish versions under 16 clients: failures, seconds
	$(IN_VENV) -m load_tests.swap

history-pages: development ## Milliseconds of pages of a history of a million rows (ROWS="--url postgresql://…")
	$(IN_VENV) -m load_tests.history.rows $(ROWS)

gateway-cost: development ## What history, tokens and quotas cost beside a bare gateway (needs wrk)
	$(IN_VENV) -m load_tests.gateway_cost

failover: development ## One of three model servers killed, then frozen, under load: failures, seconds
	$(IN_VENV) -m load_tests.faults.replicas

outage: development ## PostgreSQL away for a minute under load: failures, rows missing (needs PostgreSQL)
	$(IN_VENV) -m load_tests.faults.database

big-upload: development ## A zip of a gigabyte while predictions go on: memory, seconds, rate
	$(IN_VENV) -m load_tests.faults.big_upload

chart: development ## Rewrite the chart's README and schema from the comments in values.yaml
	PYTHONPATH=. $(IN_VENV) helm/describe.py

manifests: development ## Render k8s/base and k8s/monitoring from the chart (needs helm)
	$(IN_VENV) helm/manifests.py $(HELM)

chart-schemas: development ## Keep the API server's schemas for the chart's tests (needs kubectl, go, KUBECONFIG)
	$(IN_VENV) tests/chart/schemas.py

e2e: development ## The whole on a real cluster and with Compose (needs KUBECONFIG, helm, kubectl, docker)
	REKINDLE_E2E=1 $(IN_VENV) -m pytest -x -s --timeout 900 tests/cluster $(E2E)

capacity-cluster: development ## Images per second of one model server there (KUBECONFIG; CAPACITY="--namespace N --image I")
	$(IN_VENV) tests/cluster/capacity.py $(CAPACITY)

clean: ## Remove the environment and everything that tools left
	rm -rf $(VENV) build dist *.egg-info .*_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.PHONY: development installer
development installer:
	@$(INSTALL) $@
