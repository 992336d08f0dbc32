// ARM without the dot-product instructions.
#include "table.h"

#if defined(__aarch64__)
#include <arm_neon.h>

#define TARGET
#define HAS_FMA 1
#define HAS_F16 1
#define ROWS 2
#define COLUMNS 2
#define TILE_COLUMNS 2
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

// Four products per lane: 16-bit products, pairs added twice.
INLINE i32x16 dot(i32x16 sum, u8x64 w, int32_t x) {
  quarters b = {.bytes = w}, s = {.words = sum};
  const int8x16_t a = vreinterpretq_s8_s32(vdupq_n_s32(x));
  for (int k = 0; k < 4; k++) {
    const int32x4_t low = vpaddlq_s16(vmull_s8(vget_low_s8(b.b[k]), vget_low_s8(a)));
    const int32x4_t high = vpaddlq_s16(vmull_high_s8(b.b[k], a));
    s.s[k] = vaddq_s32(s.s[k], vpaddq_s32(low, high));
  }
  return s.words;
}

INLINE i32x16 dot_wide(i32x16 sum, u8x64 w, int32_t x) { return dot(sum, w ^ 0x80, x); }

#include "body_table.h"
const continuo_table *const continuo_table_neon = &table;
#else
const continuo_table *const continuo_table_neon = NULL;
#endif
