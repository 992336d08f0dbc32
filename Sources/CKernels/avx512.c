// AVX-512 with VNNI: from Ice Lake and Zen 4 on.
#include "table.h"

#if defined(__x86_64__)
#include <immintrin.h>

#define TARGET __attribute__((target("avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")))
#pragma clang attribute push(TARGET, apply_to = function)
#define HAS_FMA 1
#define HAS_F16 1
#define ROWS 4
#define COLUMNS 4
#define TILE_COLUMNS 4
#define WINDOW_ROWS 12
#define WINDOW_VECTORS 2
#define QUERIES 4
#define PREFETCH 1024
#define DOT_WIDE_BIASED 1
#include "body_vector.h"

INLINE i32x16 dot(i32x16 sum, u8x64 w, int32_t x) {
  return (i32x16)_mm512_dpbusd_epi32((__m512i)sum, (__m512i)w, _mm512_set1_epi32(x));
}

INLINE i32x16 dot_wide(i32x16 sum, u8x64 w, int32_t x) { return dot(sum, w, x); }

#include "body_table.h"
#pragma clang attribute pop
const continuo_table *const continuo_table_avx512 = &table;
#else
const continuo_table *const continuo_table_avx512 = NULL;
#endif
