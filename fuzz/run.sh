#!/usr/bin/env bash
# Runs the fuzzers, each for so many seconds, and prints what each did as a table: fuzz/run.sh SECONDS [TARGET...]
#
# Goes on after an input that fails, and ends with 1 and the paths of all such inputs. Slow inputs and memory without an
# end are failures too. Needs a nightly toolchain, a C++ compiler and cargo-fuzz.
set -euo pipefail
cd "$(dirname "$0")"

seconds=${1:?how many seconds for each target?}
shift
targets=("$@")
if [ ${#targets[@]} -eq 0 ]; then
    mapfile -t targets < <(cd fuzz_targets && printf '%s\n' *.rs | sed 's/\.rs$//')
fi

# All seeds again: the recordings may have changed since.
./corpus.sh
triple=$(rustc +nightly -vV | sed -n 's/^host: //p')
if [ $# -eq 0 ]; then
    cargo +nightly fuzz build -s none
else
    for target in "${targets[@]}"; do
        cargo +nightly fuzz build -s none "$target"
    done
fi
mkdir -p logs
# As little stack as the threads of the controller's runtime have.
ulimit -s 2048

rows=()
failed=()
for target in "${targets[@]}"; do
    log=logs/$target.log
    found=artifacts/$target
    mkdir -p "$found" "corpus/$target"
    before=$(mktemp)
    # -timeout: seconds that one input may take. -rss_limit_mb: the memory of the whole process.
    verdict=clean
    "target/$triple/release/$target" "corpus/$target" -artifact_prefix="$found/" -dict=words.dict \
        -max_total_time="$seconds" -timeout=10 -rss_limit_mb=1024 -len_control=0 -print_final_stats=1 \
        >"$log" 2>&1 || verdict=failed
    of() { sed -n "s/^stat::$1: *//p" "$log" | tail -n 1; }
    inputs=$(find "$PWD/$found" -type f -newer "$before" | sort)
    rm -f "$before"
    if [ "$verdict" = failed ] || [ -n "$inputs" ]; then
        verdict=failed
        failed+=("$target: ${inputs:-no input was written}, see $PWD/$log")
    fi
    cover=$(sed -n 's/.* cov: \([0-9]*\) .*/\1/p' "$log" | tail -n 1)
    rows+=("| \`$target\` | $(of number_of_executed_units) | ${cover:--} | $(find "corpus/$target" -type f | wc -l) | $(of slowest_unit_time_sec) s | $(of peak_rss_mb) MiB | $verdict |")
    printf '%s\n' "${rows[-1]}" >&2
done

printf '\n| Target | Executions | Edges | Inputs kept | Slowest | Memory | Ends |\n|---|---|---|---|---|---|---|\n'
printf '%s\n' "${rows[@]}"
if [ ${#failed[@]} -gt 0 ]; then
    printf '\nAn input failed:\n' >&2
    printf '%s\n' "${failed[@]}" >&2
    exit 1
fi
