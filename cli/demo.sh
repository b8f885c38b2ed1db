#!/bin/sh
# The main job, as a user would do it: start lagd, give it a text, train a small Transformer, let a LAG probe grow it from
# 3 to 6 layers, and go on training. Everything goes through the REST API with curl; jq only prints.
#
#   BUILD=build/lagd sh cli/demo.sh          the King James text of Debian's bible-kjv
#   TEXT=my.txt BUILD=build/lagd sh cli/demo.sh
#
# Environment: TEXT (a file), STEPS (1200), GROW_AT (500), LAG (50), DEMO_DIR (kept when given, else a temporary folder).
set -eu

LAGD=${BUILD:-build/lagd}
STEPS=${STEPS:-1200} GROW_AT=${GROW_AT:-500} LAG=${LAG:-50}
WORK=$(mktemp -d "${TMPDIR:-/tmp}/lagd-demo.XXXXXX")
STATE=${DEMO_DIR:-$WORK/state}
DAEMON=
INTERACTIVE=no
[ -t 1 ] && INTERACTIVE=yes

say() { printf '%s\n' "$*"; }
fail() { say "demo: $*" >&2; [ -f "$WORK/lagd.log" ] && tail -n 20 "$WORK/lagd.log" >&2; exit 1; }

finish() {
    status=$?
    trap - EXIT INT TERM
    if [ -n "$DAEMON" ] && kill -0 "$DAEMON" 2>/dev/null; then
        kill -TERM "$DAEMON" && wait "$DAEMON" || status=$?
    fi
    rm -rf "$WORK"
    exit "$status"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

for tool in curl jq; do
    command -v "$tool" >/dev/null || fail "$tool is missing: run ./dev demo, which installs it"
done
[ -x "$LAGD" ] || fail "$LAGD is not built: run ./dev build"

# The text: any file, or the King James text.
if [ -n "${TEXT:-}" ]; then
    [ -r "$TEXT" ] || fail "cannot read TEXT=$TEXT"
    CORPUS=$TEXT
else
    command -v bible >/dev/null || fail "bible-kjv is missing: run ./dev demo, which installs it, or give TEXT=FILE"
    bible gen1:1-rev22:21 >"$WORK/kjv.txt" </dev/null
    CORPUS=$WORK/kjv.txt
fi

# Start the daemon on the first free port from 7437 on; being ready is what says that the port was free.
port=7437
while :; do
    "$LAGD" --state-dir "$STATE" --listen "127.0.0.1:$port" --socket "$WORK/lagd.sock" >"$WORK/lagd.log" 2>&1 </dev/null &
    DAEMON=$!
    tries=0
    until curl -fsS -o /dev/null --unix-socket "$WORK/lagd.sock" http://localhost/readyz 2>/dev/null; do
        kill -0 "$DAEMON" 2>/dev/null || { wait "$DAEMON" || true; DAEMON=; break; }
        tries=$((tries + 1))
        [ "$tries" -lt 100 ] || fail "lagd did not become ready in 10 s"
        sleep 0.1
    done
    [ -z "$DAEMON" ] || break
    grep -q "127.0.0.1:$port" "$WORK/lagd.log" || fail "lagd ended at once"
    port=$((port + 1))
    [ "$port" -lt 7457 ] || fail "no free port from 7437 to 7456"
done
API=http://127.0.0.1:$port/api/v1

# get PATH, post PATH JSON: print the answer; an error answer's detail ends the demo.
get() { curl -sS "$API$1"; }
post() {
    reply=$(curl -sS -X POST -H 'Content-Type: application/json' --data "${2:-{\}}" "$API$1")
    detail=$(printf '%s' "$reply" | jq -r 'if type == "object" and has("title") and (.status // 0 | type) == "number" and (.status // 0) >= 400 then .detail // .title else empty end')
    [ -z "$detail" ] || fail "POST $1: $detail"
    printf '%s' "$reply"
}

say "lagd $(get /version | jq -r .version) serves $API (state in $STATE)"

# 1. The text becomes a dataset.
reply=$(curl -sS -X POST -H 'Content-Type: text/plain' --data-binary @"$CORPUS" "$API/datasets?name=demo-text")
printf '%s' "$reply" | jq -e .id >/dev/null || fail "$(printf '%s' "$reply" | jq -r '.detail // .title')"
printf '%s' "$reply" | jq -r '"dataset   \(.name): \(.n_tokens) tokens (bytes), vocabulary \(.vocab_size), sha256 \(.sha256[0:12])…"'

# 2. A run of 3 layers, created paused so that the growth can be planned before its first step.
run=$(post /runs '{"name":"demo","dataset":"demo-text","seed":1,"start":false,
  "model":{"arch":"gpt2","n_layer":3,"n_head":4,"n_embd":128,"n_positions":64},
  "optim":{"name":"adamw","lr":2e-3,"weight_decay":0.1,"grad_clip":1.0},
  "schedule":{"kind":"wsd","warmup_steps":40,"max_steps":'"$STEPS"',"min_lr":2e-4},
  "batch":{"sequences":12},"eval":{"every_steps":50,"batches":8},"checkpoint":{"every_steps":200}}')
printf '%s' "$run" | jq -r '"run       \(.name): \(.model.n_layer) layers, \(.n_params) parameters, \(.max_steps) steps"'

# 3. The growth: 3 → 6 layers at step GROW_AT, decided by what every strategy of the default pool does in LAG steps.
growth=$(post /runs/demo/growths '{"target":{"n_layer":6},"when":{"at_step":'"$GROW_AT"'},"pool":"default",
  "probe":{"steps":'"$LAG"',"eval_every":10},"mode":"auto"}' | jq -r .id)
get "/growths/$growth" | jq -r '"growth    \(.id): 3 → 6 layers at step '"$GROW_AT"', \(.candidates | length) candidates, lag '"$LAG"' steps"'
post /runs/demo/resume >/dev/null

sample() { # sample LABEL: what the run writes now
    text=$(post /runs/demo/generate '{"prompt":"And God said","n_tokens":160,"temperature":0.8,"top_k":20,"seed":7}')
    say ""
    printf '%s' "$text" | jq -r --arg when "$1" '"sample    \($when):", (.text | gsub("\n"; "\n          ") | "          " + .)'
    say ""
}

show() { # one line of progress; a terminal rewrites it
    if [ "$INTERACTIVE" = yes ]; then printf '\r\033[K%s' "$1"; else [ "$1" = "${last_line:-}" ] || say "$1"; fi
    last_line=$1
}
done_line() { [ "$INTERACTIVE" = no ] || printf '\n'; }

# The candidates, and what was decided.
decision() {
    done_line
    sampled=shown
    get "/growths/$growth" | jq -r '
      def num: if . == null then "      –" else (. * 10000 | round / 10000 | tostring) + "0000" | .[0:7] end;
      def fit($n): . + " " * ([0, $n - length] | max);
      "", "candidate                   at step 0   at the lag  (validation loss; best at the lag first)",
      (.decision as $d | [.candidates[]] | sort_by(.loss_at_lag // 1e9)[] |
        "  \(.operator | fit(24)) \(.loss_at_0 | num)     \(.loss_at_lag | num)   \(if .id == $d.candidate then "← chosen" elif .id == $d.pick_at_0 then "(lowest at step 0)" elif .operator == "none" then "(not growing: the reference)" else "" end)\(if .state != "completed" then .state else "" end)"),
      "", "decision  \(.decision.verdict)",
      "          rank agreement τ(k/2,k) \(.decision.tau // 0 | . * 100 | round / 100), cost \(.decision.flops / 1e9 | round) GFLOP", ""'
}

RUN_LINE='"\(.state)  step \(.step)/\(.max_steps)  layers \(.model.n_layer)  train \(.latest["train/loss"] // 0 | . * 1000 | round / 1000)  val \(.latest["val/loss"] // 0 | . * 1000 | round / 1000)  \(.latest["perf/tokens_per_s"] // 0 | round) tokens/s"'
GROWTH_LINE='[.candidates[] | select(.state == "completed")] as $ended | "probing   \($ended | length)/\(.candidates | length) candidates done\(if ($ended | length) > 0 then ", best so far \($ended | min_by(.loss_at_lag) | "\(.operator) \(.loss_at_lag * 1000 | round / 1000)")" else "" end)"'
pace=1
[ "$INTERACTIVE" = yes ] || pace=3

# 4. Train until the growth begins, watch the probes, train to the end.
sampled=no
while :; do
    now=$(get /runs/demo)
    state=$(printf '%s' "$now" | jq -r .state)
    case $state in
    running | queued) show "$(printf '%s' "$now" | jq -r "$RUN_LINE")" ;;
    growing)
        if [ "$sampled" = no ]; then
            done_line
            sample "before growth, 3 layers, step $(printf '%s' "$now" | jq -r .step)"
            sampled=yes
        fi
        show "$(get "/growths/$growth" | jq -r "$GROWTH_LINE")"
        ;;
    completed) break ;;
    *) fail "the run is $state: $(printf '%s' "$now" | jq -r '.reason // ""')" ;;
    esac
    if [ "$sampled" = yes ] && [ "$state" = running ]; then decision; fi
    sleep "$pace"
done
[ "$sampled" = shown ] || decision
now=$(get /runs/demo)
show "$(printf '%s' "$now" | jq -r "$RUN_LINE")"
done_line
sample "after growth, $(printf '%s' "$now" | jq -r .model.n_layer) layers, step $(printf '%s' "$now" | jq -r .step)"

[ "$(printf '%s' "$now" | jq -r .model.n_layer)" = 6 ] || fail "the run did not grow"
[ "$(get "/growths/$growth" | jq -r .state)" = applied ] || fail "the growth was not applied"
say "checkpoints:"
get /runs/demo/checkpoints | jq -r '.items[] | "  step \(.step)  \(.kind)  \(.n_layer) layers  \(.n_bytes) bytes"'
if [ "$INTERACTIVE" = yes ]; then
    say ""
    say "lagd keeps serving $API; try:  curl $API/runs/demo?pretty     (Ctrl-C ends it)"
    trap 'say ""; exit 0' INT
    wait "$DAEMON"
fi
