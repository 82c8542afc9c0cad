# What a person does with a clone. `make demo` needs cargo, a C compiler and terraform, no more.

CARGO ?= cargo
BENCH ?= all

.PHONY: demo demo-postgres test build package mirror bench lint docs

# A Terraform apply that waits for two people. APPROVE=auto approves, DENY=1 denies by itself.
demo:
	@APPROVE='$(APPROVE)' DENY='$(DENY)' examples/quickstart/demo.sh

# A login to a PostgreSQL of its own, for as long as an approved session lasts. Needs cargo and
# PostgreSQL's server and client.
demo-postgres:
	@APPROVE='$(APPROVE)' examples/postgres/demo.sh

# Sets up what the tests need and runs all of them.
test:
	@scripts/setup-tests.sh
	$(CARGO) build --workspace --all-targets
	$(CARGO) nextest run --workspace
	$(CARGO) test --doc --workspace

# For use, not for tests.
build:
	$(CARGO) build --release --package assent-cli --package assent-provider

# The provider as the Registry takes it, into DIR. TARGET and SIGNING_KEY: see the script.
package:
	@scripts/package.sh archive '$(or $(DIR),dist)'

# A directory that `terraform init` installs the provider from: make mirror DIR=/path
mirror:
	@scripts/package.sh mirror '$(DIR)'

# What docs/benchmarks.md reports. BENCH=wake, say, measures one part; see benches/src/main.rs. The
# other engines that `policy` compares with are built here alone: they take minutes.
bench:
	$(CARGO) build --release --package assent-provider --package assent-action
	$(CARGO) run --release --package assent-benches --features peers -- $(BENCH)

lint:
	$(CARGO) fmt --check
	$(CARGO) clippy --workspace --all-targets -- --deny warnings
	$(CARGO) clippy --package assent-core --no-default-features -- --deny warnings
	terraform fmt -check -recursive examples

docs:
	$(CARGO) doc --workspace --no-deps
