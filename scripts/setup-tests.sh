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

# The pages are tested in a real browser.
if ! command -v chromium >/dev/null || ! command -v chromedriver >/dev/null; then
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        printf 'setup: installing chromium and chromium-driver\n' >&2
        { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y \
            --no-install-recommends chromium chromium-driver; } >&2 ||
            missing chromium 'it could not be installed with `apt-get install chromium chromium-driver`'
    else
        missing chromium 'install it and its driver, of one version, on Debian with `apt-get install chromium chromium-driver`'
    fi
fi

if ! cargo nextest --version >/dev/null 2>&1; then
    printf 'setup: installing cargo-nextest\n' >&2
    cargo install --locked cargo-nextest ||
        missing cargo-nextest 'it could not be installed with `cargo install`'
fi

# Other people's software that the tests run beside Assent, each at the version that is locked: an
# OpenID provider and a GitHub for Node.js, an AWS STS and a JWT library for Python. It is kept
# outside the clone, under the digest of what is locked, so that a fresh clone finds it.
for tool in npm python3; do
    command -v "$tool" >/dev/null || missing "$tool" "install it, on Debian the package $tool"
done
locked="$(cat tests/tools/package-lock.json tests/tools/requirements.txt | sha256sum | cut -c1-16)"
tools="${XDG_CACHE_HOME:-$HOME/.cache}/assent-tests"
if [ ! -e "$tools/$locked/whole" ]; then
    printf 'setup: installing what is locked in tests/tools\n' >&2
    rm -rf "${tools:?}/$locked"
    mkdir -p "$tools/$locked"
    cp tests/tools/package.json tests/tools/package-lock.json "$tools/$locked"
    npm ci --prefix "$tools/$locked" --no-audit --no-fund >&2 ||
        missing 'the packages of tests/tools/package-lock.json' 'they could not be installed with `npm ci`'
    python3 -m venv "$tools/$locked/python" ||
        missing 'venv' 'install it, on Debian the package python3-venv'
    "$tools/$locked/python/bin/pip" install --quiet --requirement tests/tools/requirements.txt >&2 ||
        missing 'the packages of tests/tools/requirements.txt' 'they could not be installed with `pip`'
    touch "$tools/$locked/whole"
fi
