# What choosing at step 0 would have meant, in sentences, whichever way a growth came out.
# Input: its ranking at the lag. $growth: [the growth]. (jq -r --slurpfile growth growth.json -f point.jq ranking.json)

def fixed4: if . < 0 then "-" else "" end + (fabs * 1e4 | round | "\(. / 1e4 | floor).\("0000\(. % 1e4)"[-4:])");
def listed: if length < 2 then .[0] else "\(.[:-1] | join(", ")) and \(.[-1])" end;
def interval:
  if .[0]? == null then "one batch: no interval" else "95 % interval \(.[0] | fixed4) to \(.[1] | fixed4)" end;

$growth[0] as $g
| ($g.candidates | map({key: .id, value: .label}) | from_entries) as $names
| $g.decision as $d
| $names[$d.pick_at_lag // ""] as $late
| "After \($g.probe.steps) steps \($late) is lowest" as $lowest
| ([.items[] | select(.candidate == $d.pick_at_0)][0]) as $early
| (if .n_evaluations == 1 then "at that evaluation" else "over the last \(.n_evaluations) evaluations" end) as $where
| "\($early.margin_to_best // 0 | fabs | fixed4) nats \($where) (\($early.margin_interval | interval))" as $by
| ($early.margin_interval[0]? // 0 | . > 0) as $beyond
| if $late == null then "No candidate is left: nothing was decided."
  elif $early == null then
    "Step 0 could not choose: \([$names[$d.tied_at_0[]]] | listed) have the same loss there. \($lowest)."
  elif $d.pick_at_0 == $d.pick_at_lag then
    "Step 0 would have taken \($late), and after \($g.probe.steps) steps that is lowest as well: here the lag changed "
    + "nothing."
  elif $early.rank == null then
    "Step 0 would have taken \($early.label), which did not come as far as the lag. \($lowest)."
  elif $early.tied or ($beyond | not) then
    "Step 0 would have taken \($early.label). \($lowest), but the two cannot be told apart: they differ by \($by)"
    + (if $beyond then ", which is not enough beside so many others" else "" end)
    + ". Between these two this run has decided nothing."
  else
    "Step 0 would have taken \($early.label). \($lowest), ahead of it by \($by): at step 0 the worse one looked better."
  end
  + if $late != null and ($d.tied_set | length) > 1
    then " Which of \([$names[$d.tied_set[]]] | listed) is best is open: they cannot be told apart." else "" end
