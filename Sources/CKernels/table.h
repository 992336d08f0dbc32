// The kernels of one instruction set, as a table that dispatch.c chooses from.
#pragma once
#include "continuo_kernels.h"

typedef struct continuo_table {
  void (*dense_f32)(const float *, size_t, size_t, const float *, size_t, float *, size_t);
  void (*tiles_bf16)(const uint8_t *, size_t, size_t, size_t, const float *, size_t, float *, size_t);
  void (*quantise)(const float *, size_t, size_t, const continuo_activations *);
  void (*tiles_int8)(const uint8_t *, size_t, size_t, const continuo_activations *, size_t, float *,
                     size_t);
  void (*tiles_int4)(const uint8_t *, size_t, size_t, const continuo_activations *, size_t, float *,
                     size_t);
  void (*store)(const continuo_head *, size_t, const float *, const float *, size_t);
  void (*attend)(const continuo_head *, const float *, size_t, size_t, size_t, size_t, size_t, float,
                 float *, float *);
  void (*softmax)(float *, size_t);
  void (*gelu)(float *, size_t);
  void (*elu)(float *, size_t);
  void (*sigmoid)(float *, size_t);
  void (*hyperbolic_tangent)(float *, size_t);
  void (*layer_norm)(const float *, const float *, const float *, size_t, float, float *);
  void (*rms_norm)(const float *, const float *, size_t, float, float *);
  void (*windows)(const continuo_windows *, size_t, size_t, const float *, size_t, size_t,
                  const float *, int, float *);
  void (*elu_copy)(const float *, size_t, float *);
  void (*lstm_cell)(const float *, size_t, float *, float *);
  void (*fit_int8)(const float *, size_t, uint16_t *, uint8_t *);
  void (*fit_int4)(const float *, const float *, size_t, uint16_t *, uint16_t *, uint8_t *);
  uint64_t (*read)(const void *, size_t);
} continuo_table;

// NULL where the build has no such processor.
extern const continuo_table *const continuo_table_portable;
extern const continuo_table *const continuo_table_avx2;
extern const continuo_table *const continuo_table_avx_vnni;
extern const continuo_table *const continuo_table_avx512;
extern const continuo_table *const continuo_table_neon;
extern const continuo_table *const continuo_table_neon_dot;
