/* Which tensors the files of a checkpoint hold. */
#pragma once
#include "format/safetensors_internal.h"
#include <lagd/engine/state.h>

/* Longest header that a file with these tensors can have: 141 bytes a tensor, and the metadata. */
uint64_t lag_tensors_header_bytes(int n_tensors);
/* The stored shape: vectors have one dimension. Returns n_dims. */
uint32_t lag_tensor_dims(const struct lag_tensor *tensor, uint64_t ret[2]);
