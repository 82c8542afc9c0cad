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

for tool in zip unzip; do
    command -v "$tool" >/dev/null ||
        missing "$tool" "the packages of the provider are tested; install it, on Debian the package $tool"
done

# Brokers are tested against a real PostgreSQL server, which refuses to run as root: its package
# brings the user that it runs as then.
if ! compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null; then
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        printf 'setup: installing postgresql\n' >&2
        { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y postgresql; } >&2 ||
            missing postgresql 'it could not be installed with `apt-get install postgresql`'
    else
        missing postgresql 'install the server, 14 or later, on Debian with `apt-get install postgresql`'
    fi
fi
if [ "$(id -u)" = 0 ] && ! id postgres >/dev/null 2>&1; then
    missing 'the user postgres' 'PostgreSQL does not run as root; on Debian its package makes that user'
fi

if ! cargo nextest --version >/dev/null 2>&1; then
    printf 'setup: installing cargo-nextest\n' >&2
    cargo install --locked cargo-nextest ||
        missing cargo-nextest 'it could not be installed with `cargo install`'
fi
