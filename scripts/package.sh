#!/usr/bin/env bash
# Makes what a release or an installation without the Registry needs, from a release build:
#
#   package.sh archive DIR   terraform-provider-assent_{VERSION}_{OS}_{ARCH}.zip, the manifest, their
#                            checksums; and a signature of those if SIGNING_KEY names a key of gpg
#   package.sh mirror DIR    a filesystem mirror that `terraform init` installs from
#
# TARGET=x86_64-unknown-linux-musl builds for that target of rustc: that one needs no library of the
# system it runs on. PROVIDER=FILE packs a provider that is already built for the target.
set -euo pipefail

fail() {
    printf 'package: %s\n' "$*" >&2
    exit 1
}

what=${1:-} into=${2:-}
[[ $what == archive || $what == mirror ]] && [[ -n $into && $# -eq 2 ]] ||
    fail 'say `archive DIR` or `mirror DIR`'
mkdir -p "$into"
into=$(cd "$into" && pwd)
cd "$(dirname "${BASH_SOURCE[0]}")/.."

name=terraform-provider-assent
address=registry.terraform.io/assent-dev/assent
version=$(sed -n 's/^version = "\(.*\)"$/\1/p' Cargo.toml | head -n 1)
target=${TARGET:-$(rustc -vV | sed -n 's/^host: //p')}

case $target in
    *-linux-*) os=linux ;;
    *-apple-darwin) os=darwin ;;
    *) fail "no package is made for $target" ;;
esac
case $target in
    x86_64-*) arch=amd64 ;;
    aarch64-*) arch=arm64 ;;
    *) fail "no package is made for $target" ;;
esac

provider=${PROVIDER:-}
if [[ -z $provider ]]; then
    # The C in it needs a compiler for musl.
    if [[ $target == x86_64-*-musl ]] && command -v musl-gcc >/dev/null; then
        export CC_x86_64_unknown_linux_musl=${CC_x86_64_unknown_linux_musl:-musl-gcc}
    fi
    cargo build --release --package assent-provider --target "$target" >&2
    directory=$(cargo metadata --format-version 1 --no-deps |
        sed -n 's/.*"target_directory":"\([^"]*\)".*/\1/p')
    provider=$directory/$target/release/$name
fi
[[ -x $provider ]] || fail "there is no provider at $provider"

if [[ $what == mirror ]]; then
    place=$into/$address/$version/${os}_$arch
    mkdir -p "$place"
    install -m 755 "$provider" "$place/${name}_v$version"
    printf '%s\n' "$place"
    exit
fi

command -v zip >/dev/null || fail '`zip` is missing; install it and run this again'
base=${name}_$version
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
install -m 755 "$provider" "$work/${name}_v$version"
# The same binary gives the same archive.
TZ=UTC touch -t 202601010000 "$work"/*
rm -f "$into/${base}_${os}_$arch.zip"
(cd "$work" && TZ=UTC zip -q -X "$into/${base}_${os}_$arch.zip" "${name}_v$version")
install -m 644 terraform-registry-manifest.json "$into/${base}_manifest.json"
cd "$into"
sums=(sha256sum)
command -v sha256sum >/dev/null || sums=(shasum -a 256)
"${sums[@]}" "${base}"_*_*.zip "${base}_manifest.json" >"${base}_SHA256SUMS"
if [[ -n ${SIGNING_KEY:-} ]]; then
    gpg --batch --yes --local-user "$SIGNING_KEY" --detach-sign "${base}_SHA256SUMS"
fi
printf '%s\n' "$into/${base}"_*
