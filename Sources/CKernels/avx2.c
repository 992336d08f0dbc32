// AVX2 with FMA and F16C: from Haswell and Zen on.
#include "table.h"

#if defined(__x86_64__)
#include <immintrin.h>

#define TARGET __attribute__((target("avx2,fma,f16c")))
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
#define DOT_WIDE_BIASED 0
#include "body_vector.h"

typedef union halves {
  u8x64 bytes;
  i32x16 words;
  __m256i half[2];
} halves;

// Below 16 · 127 · 2 in each pair: the 16-bit sums cannot overflow.
INLINE i32x16 dot(i32x16 sum, u8x64 w, int32_t x) {
  halves b = {.bytes = w}, s = {.words = sum};
  const __m256i a = _mm256_set1_epi32(x), ones = _mm256_set1_epi16(1);
  for (int h = 0; h < 2; h++)
    s.half[h] = _mm256_add_epi32(s.half[h],
                                 _mm256_madd_epi16(_mm256_maddubs_epi16(b.half[h], a), ones));
  return s.words;
}

// Bytes of w + 128 are made signed; the sign moves to the other factor, so that at most
// 127 · 127 · 2 < 2^15 meets the saturating instruction.
INLINE i32x16 dot_wide(i32x16 sum, u8x64 w, int32_t x) {
  halves b = {.bytes = w ^ 0x80}, s = {.words = sum};
  const __m256i a = _mm256_set1_epi32(x), ones = _mm256_set1_epi16(1);
  for (int h = 0; h < 2; h++)
    s.half[h] = _mm256_add_epi32(
        s.half[h], _mm256_madd_epi16(_mm256_maddubs_epi16(_mm256_abs_epi8(b.half[h]),
                                                          _mm256_sign_epi8(a, b.half[h])),
                                     ones));
  return s.words;
}

#include "body_table.h"
#pragma clang attribute pop
const continuo_table *const continuo_table_avx2 = &table;
#else
const continuo_table *const continuo_table_avx2 = NULL;
#endif
