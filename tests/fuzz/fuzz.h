/* A fuzz target: libFuzzer's entry point, and the inputs to begin with.
 *
 * As a plain test (fuzz_main.c) a few hundred fixed mutations of each seed are tried. For libFuzzer:
 *   CC=clang meson setup build-fuzz -Db_sanitize=address -Db_lundef=false -Dc_args=-fsanitize=fuzzer-no-link
 *   ninja -C build-fuzz tests/fuzz/fuzz_manifest tests/fuzz/libfuzzer_manifest
 *   build-fuzz/tests/fuzz/fuzz_manifest seeds && build-fuzz/tests/fuzz/libfuzzer_manifest -max_total_time=60 seeds */
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

/* Aborts when a rule that must hold after an accepted input does not: sanitizers and libFuzzer notice. */
#define FUZZ_CHECK(condition) ((condition) ? (void)0 : abort())

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
/* The index-th seed, malloc()ed; 0 bytes and NULL behind the last. */
size_t lag_fuzz_seed(size_t index, uint8_t **ret);
/* A malloc()ed copy of n bytes. */
size_t lag_fuzz_copy(const void *data, size_t n, uint8_t **ret);
