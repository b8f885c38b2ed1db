/* Failpoints: named places where a test build can be told to die, fail, or wait.
 *
 * LAGD_FAILPOINTS="checkpoint.before_rename=kill@2,decision.after_commit=kill,store.commit=sleep:200@1"
 * actions: kill (SIGKILL to itself), fail (LAG_FP_FAIL is true), sleep:MS; @n = at the nth passing, default 1.
 * Compiled only with -Dfailpoints=true; otherwise the macros vanish, names and all. Thread: any. */
#pragma once

#ifdef LAG_FAILPOINTS
int lag_failpoint(const char *name); /* 1 when the caller is to fail */
#define LAG_FP(name) ((void)lag_failpoint(name))
#define LAG_FP_FAIL(name) (lag_failpoint(name) != 0)
#else
#define LAG_FP(name) ((void)0)
#define LAG_FP_FAIL(name) 0
#endif
