/* Student's t for whole degrees of freedom nu ≥ 1. Pure. Thread: any. */
#pragma once

/* The t with P(|T| ≤ t) = confidence. */
double lag_student_quantile(double confidence, int nu);
/* P(T ≤ t). */
double lag_student_below(double t, int nu);
