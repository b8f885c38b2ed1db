/* Kendall pairs, which correlate.c and select.c count. */
#pragma once

/* Kendall's τ_b, pair by pair: start from zero, add every pair (i < j) once. NaN when one side is all ties. */
struct lag_pairs { double sum, untied_a, untied_b; };
void lag_pairs_add(struct lag_pairs *pairs, double a_i, double a_j, double b_i, double b_j);
double lag_pairs_tau(const struct lag_pairs *pairs);
