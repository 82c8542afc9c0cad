#!/usr/bin/env bash
# Makes the GitHub Action as it is shipped, with its binary in it:
#
#   package-action.sh BINARY DIR
#
# DIR gets action.yml, the shim, the container's files, the binary, and a release.json that lists the
# binary's SHA-256, so that whoever pins the action by its commit pins the binary. PLATFORM says for which
# platform the binary is, as Node.js names it: `linux-x64`, `darwin-arm64`, `win32-x64`. If it is not said,
# it is this one. Once for each platform, into the same DIR, makes an action for all of them.
set -euo pipefail

fail() {
    printf 'package-action: %s\n' "$*" >&2
    exit 1
}

binary=${1:-} into=${2:-}
[[ -n $binary && -n $into && $# -eq 2 ]] || fail 'say `BINARY DIR`'
[[ -f $binary ]] || fail "there is no binary at $binary"
binary=$(cd "$(dirname "$binary")" && pwd)/$(basename "$binary")
mkdir -p "$into"
into=$(cd "$into" && pwd)
cd "$(dirname "${BASH_SOURCE[0]}")/../action"

platform=${PLATFORM:-}
if [[ -z $platform ]]; then
    case $(uname -s) in
        Linux) platform=linux ;;
        Darwin) platform=darwin ;;
        *) fail 'say in PLATFORM for which platform the binary is' ;;
    esac
    case $(uname -m) in
        x86_64) platform+=-x64 ;;
        aarch64 | arm64) platform+=-arm64 ;;
        *) fail 'say in PLATFORM for which platform the binary is' ;;
    esac
fi
[[ $platform =~ ^(linux|darwin|win32)-(x64|arm64)$ ]] || fail "no action is made for $platform"
name=assent-action
[[ $platform == win32-* ]] && name+=.exe

sums=(sha256sum)
command -v sha256sum >/dev/null || sums=(shasum -a 256)

# What BINARY was when it was read is what is shipped and listed, even if somebody builds it meanwhile.
install -d "$into/bin/$platform" "$into/container"
install -m 755 "$binary" "$into/bin/$platform/$name"
sum=$("${sums[@]}" "$into/bin/$platform/$name" | cut -d ' ' -f 1)

install -m 644 action.yml main.mjs post.mjs shim.mjs "$into"
install -m 644 container/action.yml container/Dockerfile "$into/container"
install -m 755 container/*.sh "$into/container"
if [[ $platform == linux-x64 ]]; then
    install -m 755 "$into/bin/$platform/$name" "$into/container/$name"
fi

[[ -f $into/release.json ]] || install -m 644 release.json "$into"
command -v python3 >/dev/null || fail '`python3` is missing; install it and run this again'
python3 - "$into/release.json" "$platform" "$sum" <<'PYTHON'
import json, sys

path, platform, sum = sys.argv[1:]
with open(path) as file:
    release = json.load(file)
ending = ".exe" if platform.startswith("win32-") else ""
name = f"assent-action_{release['version']}_{platform}{ending}"
release["binaries"][platform] = {"file": name, "sha256": sum}
with open(path, "w") as file:
    json.dump(release, file, indent=2, sort_keys=True)
    file.write("\n")
PYTHON
printf '%s\n' "$into"
