#!/bin/sh
# Writes what the fuzzers begin with into fuzz/corpus: the recorded objects and tables of tests/data. A few hundred
# small files, which are not kept in the repository.
set -eu
cd "$(dirname "$0")/.."
WRITE_CORPUS="$PWD/fuzz/corpus" cargo test --quiet --test invariants robust::the_recordings_as_they_are
