// AVX2 with AVX-VNNI: Alder Lake and later without AVX-512.
#include "table.h"

#if defined(__x86_64__)
#include <immintrin.h>

#define TARGET __attribute__((target("avx2,fma,f16c,avxvnni")))
#pragma clang attribute push(TARGET, apply_to = function)
#define HAS_FMA 1
#define HAS_F16 1
#define ROWS 1
#define COLUMNS 2
#define TILE_COLUMNS 4
#define WINDOW_ROWS 6
#define WINDOW_VECTORS 1
#define QUERIES 1
#define PREFETCH 1024
#define DOT_WIDE_BIASED 1
#include "body_vector.h"

INLINE i32x16 dot(i32x16 sum, u8x64 w, int32_t x) {
  union {
    u8x64 bytes;
    __m256i half[2];
  } b = {w};
  union {
    i32x16 words;
    __m256i half[2];
  } s = {sum};
  const __m256i a = _mm256_set1_epi32(x);
  s.half[0] = _mm256_dpbusd_avx_epi32(s.half[0], b.half[0], a);
  s.half[1] = _mm256_dpbusd_avx_epi32(s.half[1], b.half[1], a);
  return s.words;
}

INLINE i32x16 dot_wide(i32x16 sum, u8x64 w, int32_t x) { return dot(sum, w, x); }

#include "body_table.h"
#pragma clang attribute pop
const continuo_table *const continuo_table_avx_vnni = &table;
#else
const continuo_table *const continuo_table_avx_vnni = NULL;
#endif
