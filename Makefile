# The verbs of this repository; `make check` and `make test` are what CI runs.

EXAMPLE   := docs/examples/release
STATE     := .stagewright
SITE_URLS := --variable 'PreviewUrl={base-url}/_stagewright/site/corner-bakery-preview/' \
             --variable 'SiteUrl={base-url}/_stagewright/site/corner-bakery-live/'
VENV      := target/clients
ENGINES   := target/engines
TOOLS     := target/infra
CALLS     := $(CURDIR)/target/calls
BROWSER   := target/browser
CARGO     := cargo
PACKAGES  := target/package
FUNCTIONS :=

.DEFAULT_GOAL := help
.PHONY: help run test test-browser check check-infra check-release e2e-infra build package package-twice deploy destroy outputs bench fmt new-action guide

help: ## list the verbs
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 18

run: build ## run the example release pipeline on this machine
	@sh $(EXAMPLE)/prepare.sh target/example/corner-bakery
	@if [ -t 0 ] && [ -t 1 ]; then approve=ask; else approve=yes; fi; \
	target/debug/stagewright run $(EXAMPLE)/pipeline.json --state $(STATE) $(SITE_URLS) --approve $$approve

build: ## build the engine and the functions
	@$(CARGO) build --quiet

test: $(VENV)/ready ## run all tests but those in a browser, then hold what functions used against their roles
	@$(CARGO) build --workspace --bins --tests --quiet
	@rm -f $(CALLS)
	STAGEWRIGHT_CALLS=$(CALLS) $(CARGO) test --workspace --quiet -- --skip browser:: --skip seen_calls::
	STAGEWRIGHT_CALLS=$(CALLS) $(CARGO) test --workspace --test it --quiet -- seen_calls::

check: ## formatting, lints, and the repository's own rules
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets --quiet -- -D warnings
	$(CARGO) test --package stagewright-tests --quiet tidy

check-infra: $(TOOLS)/ready ## lint the templates, their policies, and the lints themselves with planted faults
	sh tests/infra/check.sh $(TOOLS) infra $(TOOLS)/plain
	python3 tests/infra/faults.py $(TOOLS)
	python3 tests/infra/deploy.py

e2e-infra: $(TOOLS)/emulator/ready ## deploy the templates to an emulator and use what they made
	@$(CARGO) build --workspace --bins --quiet
	$(TOOLS)/emulator/bin/python3 tests/infra/emulate.py $(TOOLS) target/debug

fmt: ## format the code
	$(CARGO) fmt --all

new-action: ## start an action: make new-action NAME=wait-for-page
	@sh docs/examples/action-template/new.sh '$(NAME)'

guide: ## follow docs/write-an-action.md word for word, in a copy
	@sh tests/guide.sh target/guide

package: $(TOOLS)/emulator/ready ## build release zips of the functions under target/package, and the template that takes them; ARCH=arm64
	sh infra/package.sh $(PACKAGES) $(FUNCTIONS)
	AWS_DEFAULT_REGION=eu-west-1 $(TOOLS)/emulator/bin/python3 infra/plain.py infra/template.yaml Canary=true $(if $(ARCH),Architecture=$(ARCH)) Release=$$(sha256sum $(PACKAGES)/SHA256SUMS | cut -c1-16) > $(PACKAGES)/template.json

package-twice: ## package functions in two folders and compare the bytes: FUNCTIONS='action-gate approval-respond'
	sh infra/package-twice.sh target/package-twice $(FUNCTIONS)

check-release: build ## before a release: two functions packaged twice, all packaged for arm64 and run under qemu; FUNCTIONS=action-gate
	sh infra/package-twice.sh target/package-twice action-gate approval-respond
	ARCH=arm64 sh infra/package.sh target/package-check $(FUNCTIONS)
	python3 tests/infra/arm64.py target/package-check target/debug/stagewright

deploy: ## deploy to AWS: asks the first time, silent afterwards
	@sh infra/deploy.sh

destroy: ## delete what deploy made
	@sh infra/destroy.sh

outputs: ## what to put into pipelines
	@sh infra/outputs.sh

bench: $(VENV)/ready $(ENGINES)/ready ## measure what the budgets promise
	$(CARGO) build --quiet --release --workspace --bins
	target/release/bench

test-browser: $(BROWSER)/ready ## try approval pages and mails in Chromium
	@$(CARGO) build --workspace --bins --tests --quiet
	$(CARGO) test --package stagewright-tests --test it --quiet -- browser --test-threads=1

# Chromium and axe-core. Where they cannot be installed, the tests that need them say that they are skipped.
$(BROWSER)/ready: tests/browser/install.sh
	@sh tests/browser/install.sh $(BROWSER)

# Other engines of state machines, to compare with.
$(ENGINES)/ready: tests/bench/engines.sh
	@sh tests/bench/engines.sh $(ENGINES)

# The AWS CLI and boto3, as users have them. Without python3 the tests that need them say that they are skipped.
$(VENV)/ready: tests/clients/requirements.txt tests/clients/install.sh
	@sh tests/clients/install.sh $(VENV) tests/clients/requirements.txt

# Linters of templates, each pinned.
$(TOOLS)/ready: tests/infra/requirements.txt tests/infra/package.json tests/infra/install.sh
	@sh tests/infra/install.sh $(TOOLS)

$(TOOLS)/emulator/ready: tests/infra/emulator.txt tests/infra/install.sh
	@sh tests/infra/install.sh $(TOOLS) emulator
