#!/bin/sh
# The point of LAG, as a user would come to it: start lagd, give it a text, train a small Transformer, let a probe grow
# it from 2 to 6 layers, and go on training. At step 0 and at the lag other candidates lead, most times: what happened
# in this very run is told at the end. Everything goes through the REST API with curl; jq only prints.
#
#   BUILD=build/lagd sh cli/demo.sh                  the King James text of Debian's bible-kjv
#   TEXT=my.txt BUILD=build/lagd sh cli/demo.sh
#
#   GROW=all BUILD=build/lagd sh cli/demo.sh         grow in depth and width at once: 2 to 6 layers, width 32 to 64
#
# Environment: TEXT (a file), PROMPT (what the samples go on from), SEED (11), GROW (depth, or all), STEPS (7000; of
# GROW=all 1200), GROW_AT (3000; 600), LAG (2000; 200), DEMO_DIR (an empty folder for lagd's state, which is kept; else
# a temporary one, which is not). How this setting was found, and what other seeds showed: docs/studies/README.md.
# At a terminal it serves on until Ctrl-C, else it ends with status 0.
# shellcheck disable=SC2016 # the programs of jq have variables of their own
set -eu

HERE=$(dirname "$0")
LAGD=${BUILD:-build/lagd}
SEED=${SEED:-11} GROW=${GROW:-depth}
case $GROW in
depth) STEPS=${STEPS:-7000} GROW_AT=${GROW_AT:-3000} LAG=${LAG:-2000} ;;
all) STEPS=${STEPS:-1200} GROW_AT=${GROW_AT:-600} LAG=${LAG:-200} ;;
*) echo "demo: GROW=$GROW: give depth or all" >&2 && exit 1 ;;
esac
FIRST_PORT=7437 LAST_PORT=7456
WORK=
DAEMON=
TERMINAL=no FANCY=no # FANCY: the terminal can rewrite a line
if [ -t 1 ]; then
    TERMINAL=yes
    case ${TERM:-dumb} in dumb) ;; *) FANCY=yes ;; esac
fi
line_open=no # a line of progress is not ended yet

say() { printf '%s\n' "$*"; }
end_line() {
    [ "$line_open" = no ] || printf '\n'
    line_open=no
}
fail() {
    end_line
    printf 'demo: %s\n' "$*" >&2
    exit 1
}
fail_with_log() { # lagd itself may tell why
    end_line
    say 'demo: the last lines of lagd:' >&2
    tail -n 10 "$WORK/lagd.log" >&2
    fail "$@"
}

# --- beginning and end -----------------------------------------------------------------------------------------------

# Whatever happens, lagd is stopped and the temporary folder goes. A second Ctrl-C does not wait for lagd's checkpoint.
finish() {
    status=$?
    trap - EXIT
    trap '' HUP TERM
    trap '[ -z "$DAEMON" ] || kill -KILL "$DAEMON" 2>/dev/null || :' INT
    end_line
    if [ -n "$DAEMON" ]; then
        kill -TERM "$DAEMON" 2>/dev/null || :
        while :; do # wait returns early when a signal comes
            ended=0
            wait "$DAEMON" || ended=$?
            kill -0 "$DAEMON" 2>/dev/null || break
        done
        if [ "$status" = 0 ] && [ "$ended" != 0 ]; then
            say "demo: lagd ended with status $ended" >&2
            status=1
        fi
    fi
    [ -z "$WORK" ] || rm -rf "$WORK"
    exit "$status"
}
trap finish EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

check_needs() {
    for tool in curl jq; do
        command -v "$tool" >/dev/null || fail "$tool is missing: ./dev demo installs it"
    done
    [ -x "$LAGD" ] || fail "$LAGD is not built: run ./dev build"
    if [ -z "${TEXT:-}" ]; then
        command -v bible >/dev/null || fail 'bible-kjv is missing: ./dev demo installs it; or give a text, TEXT=FILE'
    elif ! [ -f "$TEXT" ] || ! [ -r "$TEXT" ]; then
        fail "cannot read TEXT=$TEXT: give a text file"
    fi
    if [ -n "${DEMO_DIR:-}" ] && [ -e "$DEMO_DIR/lagd.db" ]; then
        fail "DEMO_DIR=$DEMO_DIR holds the state of an earlier demo: choose an empty folder, or look at it with" \
            "$LAGD --state-dir $DEMO_DIR"
    fi
}

# --- talking to lagd -------------------------------------------------------------------------------------------------

# ask PATH [ARGUMENTS OF CURL]: the answer is then in $WORK/answer, for pick. Ends the demo when there is none, or a
# problem.
ask() {
    path=$1
    shift
    code=$(curl -q -sS --noproxy '*' --max-time 600 -o "$WORK/answer" -w '%{http_code}' "$@" "$API$path" \
        2>"$WORK/curl.err") || fail_with_log "no answer to $path: $(cat "$WORK/curl.err")"
    [ "$code" -lt 400 ] || fail "$path: $(pick '.detail // .title' 2>/dev/null || echo "status $code")"
}
post() {
    path=$1
    shift
    ask "$path" -X POST -H 'Content-Type: application/json' --data "$@"
}

# pick FILTER [ARGUMENTS OF JQ]: prints from the last answer.
pick() {
    filter=$1
    shift
    jq -r "$@" "$JQ_DEFS $filter" "$WORK/answer"
}

# fixed(n): n digits behind the point. fit(n): padded to n columns.
JQ_DEFS='
def fixed($n):
  if . == null then "–"
  else (if . < 0 then "-" else "" end) as $sign | pow(10; $n) as $p | (fabs * $p | round) as $i
    | $sign + ($i / $p | floor | tostring) + if $n == 0 then "" else "." + ("00000000" + ($i % $p | tostring))[-$n:] end
  end;
def fit($n): . + " " * ([0, $n - length] | max);
def right($n): " " * ([0, $n - length] | max) + .;
'

# Starts lagd on the first free port. It leads a session of its own, so that Ctrl-C reaches this script alone, which
# then stops it; and it ends should this script be killed.
start_lagd() {
    port=$FIRST_PORT
    while :; do
        setsid setpriv --pdeathsig TERM \
            "$LAGD" --state-dir "$STATE" --listen "127.0.0.1:$port" --socket "$WORK/lagd.sock" \
            >"$WORK/lagd.log" 2>&1 </dev/null &
        DAEMON=$!
        tries=0
        until curl -q -fsS -o /dev/null --unix-socket "$WORK/lagd.sock" http://localhost/readyz 2>/dev/null; do
            kill -0 "$DAEMON" 2>/dev/null || break
            tries=$((tries + 1))
            [ "$tries" -lt 300 ] || fail_with_log 'lagd did not become ready in 30 s'
            sleep 0.1
        done
        kill -0 "$DAEMON" 2>/dev/null && break
        wait "$DAEMON" || :
        DAEMON=
        grep -q "127.0.0.1:$port is in use" "$WORK/lagd.log" || fail_with_log 'lagd ended at once'
        [ "$port" -lt "$LAST_PORT" ] || fail "no port from $FIRST_PORT to $LAST_PORT is free"
        port=$((port + 1))
    done
    BASE=http://127.0.0.1:$port API=$BASE/api/v1
    [ "$port" = "$FIRST_PORT" ] || say "port $FIRST_PORT is in use: taking $port"
}

# Where npm is missing, or could not fetch the dashboard's packages, lagd is built without it.
has_dashboard() {
    kind=$(curl -q -sS --noproxy '*' --max-time 60 -o /dev/null -w '%{content_type}' -H 'Accept: text/html' "$BASE/") ||
        kind=
    case $kind in
    text/html*) return 0 ;;
    *) return 1 ;;
    esac
}

# What to look at, once there is a growth.
look_at() {
    has_dashboard || return 0
    say "look at   $BASE/#/growths/$growth?near=true"
    say '          Each curve is one way to grow. Drag the line "decide at step" from the left end to the right:'
    say '          the list beside it says who would have been taken there, and who cannot be told apart.'
}

# --- showing ---------------------------------------------------------------------------------------------------------

# show TEXT: a line of progress. A terminal rewrites it, without wrapping; a pipe gets it when it is new.
show() {
    if [ "$FANCY" = yes ]; then
        printf '\r\033[?7l%s\033[K\033[?7h' "$1"
        line_open=yes
    elif [ "$1" != "${last_line:-}" ]; then
        say "$1"
    fi
    last_line=$1
}

# speed TOKENS: sets tokens_per_s, over the time since the last call.
speed() {
    clock=$(date +%s%N)
    if [ -n "${last_clock:-}" ] && [ "$1" -ge "$last_tokens" ]; then
        tokens_per_s=$((($1 - last_tokens) * 1000 / ((clock - last_clock) / 1000000 + 1)))
    else
        tokens_per_s=0
    fi
    last_clock=$clock last_tokens=$1
}

show_run() {
    ask /runs/demo
    speed "$(pick .tokens)"
    show "$(pick '
        (.max_steps | tostring | length) as $digits
        | "\(.state | fit(9)) step \(.step | tostring | right($digits))/\(.max_steps)  \(.model.n_layer) layers"
        + "  train \(.latest["train/loss"] | fixed(3))  val \(.latest["val/loss"] | fixed(3))"
        + if $speed > 0 and .state == "running" then "  \($speed) tokens/s" else "" end' \
        --argjson speed "$tokens_per_s")"
}

show_probe() {
    ask "/growths/$growth"
    speed "$(($(pick '[.candidates[].t] | add') * TOKENS_PER_STEP))"
    show "$(pick '
        "probing   \([.candidates[] | select(.state == "completed")] | length)/\(.candidates | length) candidates"
        + "  \(100 * ([.candidates[].t] | add) / (.probe.steps * (.candidates | length)) | floor) % of their steps"
        + "  (ranked when all are at step \(.probe.steps))"
        + if $speed > 0 then "  \($speed) tokens/s" else "" end' --argjson speed "$tokens_per_s")"
}

# paragraph LABEL: $WORK/text behind a label of ten columns.
paragraph() { fold -s -w 96 <"$WORK/text" | sed "1s/^/$1/; 2,\$s/^/          /; s/ *\$//"; }

# sample LABEL: what the run writes now.
sample() {
    end_line
    post /runs/demo/generate "$(jq -n --arg prompt "$PROMPT" \
        '{prompt: $prompt, n_tokens: 200, temperature: 0.7, top_k: 20, seed: 7}')"
    say ''
    say "sample    $1:"
    pick '.prompt + .text' | tr -d '\000-\010\013-\037\177' | fold -s -w 96 | sed 's/^/          /; s/ *$//'
    say ''
}

# What every candidate came to, and what was decided.
show_decision() {
    end_line
    ask "/growths/$growth"
    say ''
    pick '
        .decision as $d
        | "candidate          at step 0   at the lag   (validation loss, lowest at the lag first)",
        (.candidates | sort_by(.loss_at_lag // 1e9)[]
          | [ if .id == $d.candidate then "← chosen" else empty end,
              if (.id | IN($d.tied_set[])) and ($d.tied_set | length) > 1 then "tied" else empty end,
              if .id | IN($d.tied_at_0[]) then "tied at step 0"
              elif .id == $d.pick_at_0 then "← lowest at step 0" else empty end,
              if .operator == "none" then "(not growing, the reference)" else empty end,
              if .state != "completed" then .state else empty end ] as $notes
          | "  \(.label | fit(17))  \(.loss_at_0 | fixed(4) | right(7))      \(.loss_at_lag | fixed(4) | right(7))"
          + if ($notes | length) > 0 then "   " + ($notes | join("  ")) else "" end),
        ""'
    pick .decision.verdict >"$WORK/text"
    paragraph 'decision  '
    pick '"          Basis: \(.decision.basis). Rank stability, half the lag against the lag: Kendall τ "
        + "\(.decision.tau | fixed(2)). The probe took \(.decision.flops / 1e9 | round) GFLOP."'
    say ''
    show_point
}

# What step 0 would have taken beside what is lowest at the lag, in this run.
show_point() {
    cp "$WORK/answer" "$WORK/growth"
    ask "/growths/$growth/ranking?at_step=$LAG"
    jq -r --slurpfile growth "$WORK/growth" -f "$HERE/point.jq" "$WORK/answer" >"$WORK/text"
    paragraph 'the point '
    say ''
}

# --- the job ---------------------------------------------------------------------------------------------------------

check_needs
begun=$(date +%s)
WORK=$(mktemp -d "${TMPDIR:-/tmp}/lagd-demo.XXXXXX")
STATE=${DEMO_DIR:-$WORK/state}
if [ -n "${TEXT:-}" ]; then
    PROMPT=${PROMPT:-The }
else
    PROMPT=${PROMPT:-And God said}
    TEXT=$WORK/kjv.txt
    bible gen1:1-rev22:21 >"$TEXT" </dev/null
fi

start_lagd
ask /version
say ''
say "lagd      $(pick .version) at $API, state in $STATE"
if has_dashboard; then
    say "dashboard $BASE/  open it in a browser, and watch"
else
    say "dashboard none in this build: npm was not there, or could not fetch what it needs"
fi

# 1. The text becomes a dataset.
ask '/datasets?name=demo-text' -X POST -H 'Content-Type: text/plain' --data-binary "@$TEXT"
pick '"dataset   \(.name): \(.n_tokens) tokens (bytes), vocabulary \(.vocab_size), SHA-256 \(.sha256[0:12])…"'

# 2. A run of 2 layers, created paused, so that the growth can be planned before its first step. Its validation set is
# that of the probe, so that each evaluation of a candidate counts in the verdict.
post /runs '{"name": "demo", "dataset": "demo-text", "seed": '"$SEED"', "start": false,
    "model":    {"arch": "gpt2", "n_layer": 2, "n_head": 2, "n_embd": 32, "n_positions": 32},
    "optim":    {"name": "adamw", "lr": 3e-3},
    "schedule": {"kind": "wsd", "warmup_steps": 40, "max_steps": '"$STEPS"'},
    "batch": {"sequences": 8}, "eval": {"every_steps": 200, "batches": 64}, "checkpoint": {"every_steps": 1000}}'
pick '"run       \(.name): \(.model.n_layer) layers, \(.n_params) parameters, \(.max_steps) steps, seed '"$SEED"'"'
TOKENS_PER_STEP=$(pick '.batch.sequences * .batch.tokens_per_sequence * .batch.accumulate')

# 3. The growth: 2 → 6 layers (and twice the width, with GROW=all) at step GROW_AT, decided by what five strategies do
# in LAG steps. All have one rule for
# the optimiser and one for the learning rate. None preserves the function exactly: those that do all have the parent's
# loss at step 0, so that step 0 could not choose among them.
target='{"n_layer": 6}' operators='["stack", "interleave", "gradual_stack", "midas", "random"]'
if [ "$GROW" = all ]; then
    target='{"n_layer": 6, "n_embd": 64}'
    operators='[{"operator": "stack", "with": "clone_width"}, {"operator": "interleave", "with": "lemon"},
        {"operator": "gradual_stack", "with": "fpi"}, {"operator": "midas", "with": "zero_fanout"},
        {"operator": "random", "with": "random_width"}]'
fi
post /runs/demo/growths '{"target": '"$target"', "when": {"at_step": '"$GROW_AT"'},
    "pool": {"operators": '"$operators"', "optimizer": "inherit", "lr": "continue"},
    "probe": {"steps": '"$LAG"', "eval_every": 50, "eval_batches": 64, "max_eval_share": 0.7}, "mode": "auto"}'
growth=$(pick .id)
pick '"growth    \(.change) at step \(.when.at_step), \(.candidates | length) candidates,"
    + " a lag of \(.probe.steps) steps"'
say ''
ask /runs/demo/resume -X POST

# 4. Train until the growth begins, watch the probes, train to the end.
pace=1 phase=before
[ "$FANCY" = yes ] || pace=3
while :; do
    ask /runs/demo
    state=$(pick .state)
    case $state in
    running | queued | completed)
        if [ "$phase" = probing ]; then
            phase=after last_clock=
            show_decision
        fi
        show_run
        [ "$state" != completed ] || break
        ;;
    growing)
        if [ "$phase" = before ]; then
            sample "before the growth, $(pick .model.n_layer) layers, step $(pick .step)"
            phase=probing last_clock=
        fi
        show_probe
        ;;
    *) fail "the run is $state: $(pick '.reason // "no reason given"')" ;;
    esac
    sleep "$pace"
done
[ "$phase" = after ] || show_decision # the growth came and went between two looks
ask /runs/demo
n_layer=$(pick .model.n_layer)
sample "after the growth, $n_layer layers, step $(pick .step)"
[ "$n_layer" = 6 ] || fail 'the run did not grow'
ask "/growths/$growth"
[ "$(pick .state)" = applied ] || fail 'the growth was not applied'
pick '.effect | "effect    loss \(.loss_change * 10000 | round / 10000) nats at step 0, the function "
    + (if .preserved then "kept" else "changed" end) + "; back at the parent'"'"'s loss "
    + (if .recovery_steps == null then "not yet" elif .recovery_steps == 0 then "at once"
       else "after \(.recovery_steps) steps" end)
    + "; new parts: \(100 * .new_gradient_share | round) % of the first gradient"'
say ''

say 'checkpoints'
ask /runs/demo/checkpoints
pick '.items | reverse[]
    | "  step \(.step | tostring | right(5))  \(.n_layer) layers  "
        + "\(.n_bytes / 1048576 | fixed(1) | right(5)) MiB  \(.kind)"'
say ''
say "The demo took $(($(date +%s) - begun)) s."
look_at
[ -z "${DEMO_DIR:-}" ] || say "All of it is kept. To look at it again: $LAGD --state-dir $DEMO_DIR"
if [ "$TERMINAL" = yes ]; then
    say "lagd goes on serving until you press Ctrl-C."
    say "Or try in another terminal:"
    say ''
    say "  curl '$API/runs/demo?pretty'"
    say "  curl '$API/runs/demo/series?key=val/loss'"
    say ''
    trap 'say ""; exit 0' INT
    ended=0
    wait "$DAEMON" || ended=$?
    DAEMON=
    fail_with_log "lagd ended by itself with status $ended"
fi
