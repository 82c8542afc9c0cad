#!/usr/bin/env bash
# Sets up what `make test` needs. Running it again changes nothing.
set -euo pipefail

missing() {
    printf 'setup: `%s` is missing: %s\n' "$1" "$2" >&2
    exit 1
}

command -v cargo >/dev/null ||
    missing cargo 'install Rust with rustup; rust-version in Cargo.toml says which'
command -v cc >/dev/null ||
    missing cc 'install a C compiler, on Debian the package build-essential'
command -v terraform >/dev/null ||
    missing terraform 'the provider is tested with the real one, 1.11 or later'

if ! cargo nextest --version >/dev/null 2>&1; then
    printf 'setup: installing cargo-nextest\n' >&2
    cargo install --locked cargo-nextest ||
        missing cargo-nextest 'it could not be installed with `cargo install`'
fi
