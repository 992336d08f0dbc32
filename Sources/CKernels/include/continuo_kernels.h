// Inner products whose instructions are chosen at run time (AVX-512, AVX2, NEON, portable), which
// Swift cannot say. Nothing else belongs here: everything around them is in Kernels.
#pragma once
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/// Sum of a[i] * b[i] for i < n. Always summed in the same order on one instruction set.
float continuo_dot_f32(const float *_Nonnull a, const float *_Nonnull b, size_t n);

#ifdef __cplusplus
}
#endif
