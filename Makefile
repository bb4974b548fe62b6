# The verbs of this repository; `make` lists them. What each one does in detail stands in CONTRIBUTING.md.

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
CODE := shared central member sandbox deploy bench
# A process more than most CI machines have cores: some tests wait for servers and browsers.
JOBS ?= 3
ARGS ?=
PYTEST = $(BIN)/python -m pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder
INPUTS ?= 10000
STORIES ?= 10000

# Pure code, where every branch has an example among its unit tests, without property tests (TRACED in tests/conftest.py).
PURE := shared/domain/*,shared/wire/*,shared/slack/*,member/chalicelib/assessment/*,member/chalicelib/cloudtrail/*,member/chalicelib/decision*,member/chalicelib/risk*,member/chalicelib/splitting*,member/chalicelib/rule_set*,member/chalicelib/ec2/forms*,member/chalicelib/ec2/plan*,member/chalicelib/state/baseline*,member/chalicelib/state/approvals*,member/chalicelib/state/register*,member/chalicelib/state/doubt*,member/chalicelib/state/timed*,member/chalicelib/state/limits*,member/chalicelib/state/items*,central/chalicelib/requests/fingerprint*,central/chalicelib/requests/items*

# The first Python that is new enough; `make PYTHON=/path/to/python` takes another.
PYTHON ?= $(shell for python in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$python && break; done)

export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
.PHONY: help venv demo sandbox screenshots test coverage faults fuzz stories scopes bench cost audit fleet lint format clean deploy-central deploy-member undeploy-central undeploy-member doctor package

help: ## list the verbs
	@echo "make …"
	@sed -n 's/^\([a-z-]*\):.*## /\1|/p' $(MAKEFILE_LIST) | while IFS='|' read -r verb text; do printf '  %-16s %s\n' "$$verb" "$$text"; done

venv: $(STAMP) ## make .venv and install requirements.txt into it (once; again when it changes)

demo: $(STAMP) ## play the whole story on this machine: change, revert, Slack, decision, apply
	@$(BIN)/python -m sandbox demo $(ARGS)

sandbox: $(STAMP) ## keep the whole system up on this machine and open its page; ARGS="--help" lists options
	@$(BIN)/python -m sandbox $(ARGS)

screenshots: $(STAMP) ## make the pictures of the documentation from the running sandbox (needs Chromium)
	@$(BIN)/python -m sandbox.web.screenshots

test: $(STAMP) ## run every test, check that unit tests cover the pure code; ARGS="-k slack" goes to pytest, JOBS is the number of processes
ifeq ($(strip $(ARGS)),)
	$(PYTEST) --cov --cov-report=
	@echo "Every branch of the pure code must have a unit test:"
	@$(BIN)/python -m coverage report --include='$(PURE)' --fail-under=100
else
	$(PYTEST) $(ARGS)
endif

coverage: $(STAMP) ## run every test traced, at twice the time, and list the lines that none reaches
	$(PYTEST) --cov --cov-report= --trace-everything $(ARGS)
	@$(BIN)/python -m coverage report

faults: $(STAMP) ## break every call of every flow in every way, and count what survives; ARGS="--flow deny"
	@$(BIN)/python -m tests.fault --jobs $(JOBS) $(ARGS)

# Every door and parser, INPUTS inputs each; what ends in a way nobody declared fails, with the smallest input that does it.
fuzz: export FUZZ_INPUTS = $(INPUTS)
fuzz: $(STAMP) ## attack the route, the topics, the events and every parser with 10,000 inputs each (INPUTS=…); prints a table
	@$(BIN)/python -m pytest -q -n $(JOBS) -p no:logging --show-capture=no $(ARGS) tests/attack/test_fuzz_parsers.py \
		tests/attack/central/test_fuzz_central.py tests/attack/member/test_fuzz_member.py

stories: $(STAMP) ## play random stories of a member account, STORIES of them (10,000), from SEED on; prints the seeds that fail
	@$(BIN)/python -m tests.attack.stories --number $(STORIES) --jobs $(JOBS) $(if $(SEED),--seed $(SEED)) $(ARGS)

scopes: $(STAMP) ## go through every order of three calls by two callers, and a crash at every call; prints how many cases
	@$(BIN)/python -m tests.attack.scopes $(ARGS)

bench: $(STAMP) ## measure the product as it ships, write docs/performance.md and docs/cost.md; ARGS="--quick" for a look
	@$(BIN)/python -m bench $(ARGS)

cost: $(STAMP) ## write docs/cost.md again from the last measurement, after a change of prices
	@$(BIN)/python -m bench --pages

audit: $(STAMP) ## list or export requests of the central account: PROFILE= REGION= ARGS="--status denied --format csv"
	@$(if $(PROFILE),AWS_PROFILE=$(PROFILE)) $(BIN)/python -m central.audit $(if $(REGION),--region $(REGION)) $(ARGS)

fleet: $(STAMP) ## list the members by their last heartbeats: PROFILE= REGION= ARGS=--json
	@$(if $(PROFILE),AWS_PROFILE=$(PROFILE)) $(BIN)/python -m central.fleet $(if $(REGION),--region $(REGION)) $(ARGS)

lint: $(STAMP) ## check style, types, the direction of imports and replaced words
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy $(CODE)
	$(BIN)/lint-imports --no-logo
	$(BIN)/python -m tests.vocabulary

format: $(STAMP) ## bring the code into the project's format
	$(BIN)/ruff check --fix-only --quiet .
	$(BIN)/ruff format .

# PROFILE, REGION and STAGE say where; the rest is the verb's own, and ARGS takes whatever `python -m deploy VERB --help` lists.
WHERE = $(if $(PROFILE),--profile $(PROFILE)) $(if $(REGION),--region $(REGION)) $(if $(STAGE),--stage $(STAGE))
DEPLOY := $(BIN)/python -B -m deploy

deploy-central: $(STAMP) ## deploy or upgrade the central app: PROFILE= REGION= MEMBERS=id,id or ORGANIZATION=o-…
	@$(DEPLOY) central $(WHERE) $(if $(MEMBERS),--members $(MEMBERS)) $(if $(ORGANIZATION),--organization $(ORGANIZATION)) $(ARGS)

deploy-member: $(STAMP) ## deploy or upgrade the member app: PROFILE= REGION= CENTRAL=id CENTRAL_REGION= NAME= MODE=observe
	@$(DEPLOY) member $(WHERE) $(if $(CENTRAL),--central $(CENTRAL)) $(if $(CENTRAL_REGION),--central-region $(CENTRAL_REGION)) \
		$(if $(NAME),--account-name "$(NAME)") $(if $(MODE),--mode $(MODE)) $(ARGS)

doctor: $(STAMP) ## report what is wrong in an account: APP=central or member, PROFILE= REGION=
	@$(DEPLOY) doctor $(or $(APP),central) $(WHERE) $(ARGS)

undeploy-central: $(STAMP) ## remove the central app, after a question; its table stays, unless ARGS=--purge
	@$(DEPLOY) undeploy central $(WHERE) $(ARGS)

undeploy-member: $(STAMP) ## remove the member app, after a question (ARGS=--yes: without)
	@$(DEPLOY) undeploy member $(WHERE) $(ARGS)

package: $(STAMP) ## write one CloudFormation template and zip per app, for a fleet, into build/package
	@$(DEPLOY) package $(ARGS)

clean: ## remove what the other verbs made, .venv included
	rm -rf $(VENV) .coverage .coverage.* htmlcov .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	rm -rf .chalice/central/deployments .chalice/member/deployments build
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(STAMP): requirements.txt
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed, and none was found. Install one, or say where it is: make PYTHON=/path/to/python3 $(MAKECMDGOALS)" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "$(PYTHON) is not Python 3.11 or newer. Say where one is: make PYTHON=/path/to/python3 $(MAKECMDGOALS)" >&2; exit 1; }
	@$(BIN)/python -c 'import pip, sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || $(PYTHON) -m venv --clear $(VENV) || { rm -rf $(VENV); echo "$(PYTHON) cannot make virtual environments here. On Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }
	@echo "Installing requirements.txt into $(VENV) …"
	@$(BIN)/python -m pip install --quiet --requirement requirements.txt
	@touch $@
