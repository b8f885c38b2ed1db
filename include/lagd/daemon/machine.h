/* Series of the machine: what each is called and what it says. Thread: any. */
#pragma once
#include <stddef.h>

struct lagd_machine_key {
    const char *name, *unit, *help;
    size_t offset; /* in struct lag_readings */
};
#define LAGD_N_MACHINE_KEYS 8
/* NULL behind the last one. */
const struct lagd_machine_key *lagd_machine_key(int i);
