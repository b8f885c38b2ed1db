/* The engine's number type: float in lagd; double in the second build, which the tests use for proofs. */
#pragma once
#ifdef LAG_REAL_DOUBLE
typedef double lag_real;
#else
typedef float lag_real;
#endif
