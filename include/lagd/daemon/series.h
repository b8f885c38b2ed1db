/* Names of the series that runs and candidates have; some of them come late, as val/loss with the first validation.
 * Thread: any. */
#pragma once

/* NULL behind the last one. */
const char *lagd_series_key(int i);
