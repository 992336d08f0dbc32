// ARM with the dot-product instructions (ARMv8.2 dotprod).
#include "table.h"

#if defined(__aarch64__)
#include <arm_neon.h>

#define TARGET __attribute__((target("dotprod")))
#pragma clang attribute push(TARGET, apply_to = function)
#define HAS_FMA 1
#define HAS_F16 1
#define ROWS 2
#define COLUMNS 2
#define TILE_COLUMNS 4
#define WINDOW_ROWS 6
#define WINDOW_VECTORS 1
#define QUERIES 1
#define PREFETCH 1024
#define DOT_WIDE_BIASED 0
#include "body_vector.h"

typedef union quarters {
  u8x64 bytes;
  i32x16 words;
  int8x16_t b[4];
  int32x4_t s[4];
} quarters;

INLINE i32x16 dot(i32x16 sum, u8x64 w, int32_t x) {
  quarters b = {.bytes = w}, s = {.words = sum};
  const int8x16_t a = vreinterpretq_s8_s32(vdupq_n_s32(x));
  for (int k = 0; k < 4; k++) s.s[k] = vdotq_s32(s.s[k], b.b[k], a);
  return s.words;
}

INLINE i32x16 dot_wide(i32x16 sum, u8x64 w, int32_t x) { return dot(sum, w ^ 0x80, x); }

#include "body_table.h"
#pragma clang attribute pop
const continuo_table *const continuo_table_neon_dot = &table;
#else
const continuo_table *const continuo_table_neon_dot = NULL;
#endif
