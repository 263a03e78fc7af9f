#!/usr/bin/env bash
# Hunts mutants: builds this tree with one bug of history planted, and searches until a promise is
# broken. Usage: tests/mutants/run.sh [--record] [--seeds N] [NAME...]
#
# Prints a row for each mutant. --record writes docs/mutants.md (all mutants); without it the rows
# are compared with that table. Fails when a mutant survives, or is caught by another promise than
# its patch names.
set -euo pipefail

root=$(cd "$(dirname "$0")/../.." && pwd)
work=$root/target/mutants
table=$root/docs/mutants.md
record=
most=40
names=()
while [ $# -gt 0 ]; do
    case $1 in
    --record) record=yes ;;
    --seeds) most=$2 && shift ;;
    *) names+=("${1%.patch}") ;;
    esac
    shift
done
if [ ${#names[@]} -eq 0 ]; then
    for patch in "$root"/tests/mutants/*.patch; do
        names+=("$(basename "$patch" .patch)")
    done
fi

# The search, in the tree at $1. It ends at the first violation. Its output goes to $2: lines
# "hunt SEARCH SEED" before each history, and the violation.
search() {
    local binary
    binary=$(cd "$1" && cargo test --quiet --test sim --no-run --message-format json |
        sed -n 's/.*"name":"sim".*"executable":"\([^"]*\)".*/\1/p' | tail -n 1)
    [ -n "$binary" ] || return 2
    (cd "$1" && SIM_SEEDS=0-$most timeout 1500 "$binary" --ignored --exact --nocapture \
        hunt::all_searches) >"$2" 2>&1
}

# A copy of the tree, so that nobody's work is touched. All files are new in it: a run that was
# interrupted may have left a mutant in what was built.
copy() {
    rm -rf "$work"/tree
    mkdir -p "$work"/tree
    (cd "$root" && tar --exclude=./target --exclude=./.git -cf - .) | tar -xmf - -C "$work"/tree
}

# The row of a mutant. Fails when it survives.
hunt() {
    local name=$1 patch=$root/tests/mutants/$1.patch log=$work/$1.log bug promise status=0
    bug=$(sed -n 's/^Bug: //p' "$patch")
    promise=$(sed -n 's/^Promise: //p' "$patch")
    patch -d "$work"/tree -p1 -s <"$patch"
    search "$work"/tree "$log" || status=$?
    patch -d "$work"/tree -p1 -s -R <"$patch"
    local last histories broken
    last=$(grep '^hunt ' "$log" | tail -n 1)
    histories=$(grep -c '^hunt ' "$log" || true)
    broken=$(grep -oE '(S[1-8]|C1|L1)( at version|, seed| in hardship)' "$log" | head -n 1 | cut -d' ' -f1 | tr -d ,) || true
    if [ $status -eq 2 ]; then
        echo "$name does not build" >&2
        return 1
    fi
    if [ $status -eq 0 ] || [[ " $promise " != *" $broken "* ]] || [ -z "$broken" ]; then
        echo "$name survives: status $status, $last, broken ${broken:-nothing}, not $promise; see $log" >&2
        return 1
    fi
    set -- $last
    echo "| \`$name\` | $bug | $broken | \`$2\`, seed $3 | $histories |"
}

head='| Mutant | Bug | Broken | Caught by | Histories |
|---|---|---|---|---|'
export CARGO_TARGET_DIR=$work/target
copy
rows=
survivors=0
for name in "${names[@]}"; do
    if row=$(hunt "$name"); then
        rows+=$row$'\n'
        echo "$row"
    else
        survivors=$((survivors + 1))
    fi
done
if [ -n "$record" ]; then
    {
        sed '/^| Mutant/,$d' "$table"
        echo "$head"
        printf '%s' "$rows"
    } >"$table.new"
    mv "$table.new" "$table"
else
    while IFS= read -r row; do
        grep -qxF -- "$row" "$table" || echo "not as in docs/mutants.md: $row" >&2
    done <<<"${rows%$'\n'}"
fi
echo "${#names[@]} mutants, $survivors survive"
[ "$survivors" -eq 0 ]
