#!/bin/sh
# tidy.sh BUILD_DIR [FILE...]: clang-tidy of the files (default: all that BUILD_DIR compiles) with .clang-tidy, two at a
# time. BUILD_DIR must not use precompiled headers: clang cannot read gcc's.
set -eu
build=$1
shift
[ $# -gt 0 ] || set -- $(git ls-files 'src/*.cpp' 'models/*.cpp' 'schedulers/*.cpp' 'weights/*.cpp' 'apps/*.cpp')
printf '%s\n' "$@" | xargs -P "$(nproc)" -n 1 clang-tidy -p "$build" --quiet --warnings-as-errors='*'
