/* Whether a run's losses are well, as its row tells. Thread: the run's. */
#pragma once
struct lagd_run;

/* What is stored of them, up to the loaded state. After its state was loaded, or has become that of a growth. */
void lagd_run_health_read(struct lagd_run *run);
/* A validation's loss at the present step. Where it changes how they stand, the row says so; that they explode is told
 * by an event. What cannot be stored is tried again at the next one. */
void lagd_run_health_note(struct lagd_run *run, double loss);
