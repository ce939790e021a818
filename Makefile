# The verbs of this repository; `make check` and `make test` are what CI runs.

EXAMPLE   := docs/examples/release
STATE     := .stagewright
SITE_URLS := --variable 'PreviewUrl={base-url}/_stagewright/site/corner-bakery-preview/' \
             --variable 'SiteUrl={base-url}/_stagewright/site/corner-bakery-live/'
VENV      := target/clients
CARGO     := cargo

.DEFAULT_GOAL := help
.PHONY: help run test check build package bench fmt new-action

help: ## list the verbs
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 18

run: build ## run the example release pipeline on this machine
	@sh $(EXAMPLE)/prepare.sh target/example/corner-bakery
	@if [ -t 0 ] && [ -t 1 ]; then approve=ask; else approve=yes; fi; \
	target/debug/stagewright run $(EXAMPLE)/pipeline.json --state $(STATE) $(SITE_URLS) --approve $$approve

build: ## build the engine and the functions
	@$(CARGO) build --quiet

test: $(VENV)/ready ## run all tests
	@$(CARGO) build --workspace --bins --tests --quiet
	$(CARGO) test --workspace --quiet

check: ## formatting, lints, and the repository's own rules
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets --quiet -- -D warnings
	$(CARGO) test --package stagewright-tests --quiet tidy

fmt: ## format the code
	$(CARGO) fmt --all

new-action: ## start an action: make new-action NAME=wait-for-page
	@sh docs/examples/action-template/new.sh '$(NAME)'

package: ## build release zips of the functions under target/package
	sh infra/package.sh target/package

bench: ## measure what the budgets promise
	$(CARGO) build --quiet --release --workspace --bins
	target/release/bench

# The AWS CLI and boto3, as users have them. Without python3 the tests that need them say that they are skipped.
$(VENV)/ready: tests/clients/requirements.txt
	@sh tests/clients/install.sh $(VENV) tests/clients/requirements.txt
