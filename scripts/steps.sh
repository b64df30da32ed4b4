# Times steps. Sourced by lib.sh.
steps=$root/.cache/steps.tsv

# Forgets what was recorded.
steps_begin() {
    mkdir -p "$(dirname "$steps")"
    : >"$steps"
}

# step NAME COMMAND...: runs a command or function between a heading and the time it took, and records the time.
step() {
    local name=$1 begun=${EPOCHREALTIME/./} seconds status
    shift
    printf '\n=== %s\n' "$name"
    # In a condition, and so after `||` too, bash would not stop a function at its first failure.
    set +e
    (
        set -e
        "$@"
    )
    status=$?
    set -e
    seconds=$(awk -v us=$((${EPOCHREALTIME/./} - begun)) 'BEGIN { printf "%.1f", us / 1e6 }')
    mkdir -p "$(dirname "$steps")"
    printf '%s\t%s\n' "$seconds" "$name" >>"$steps"
    if [ "$status" -ne 0 ]; then
        printf '=== %s: FAILED with exit status %s after %s s\n' "$name" "$status" "$seconds"
        exit "$status"
    fi
    printf '=== %s: %s s\n' "$name" "$seconds"
}

steps_report() {
    printf '\nThe ten slowest steps, in seconds:\n'
    sort -rn "$steps" | head -10 | awk -F '\t' '{ printf "%8s  %s\n", $1, $2 }'
}
