// Any processor: plain C, multiply-adds not fused.
#include "table.h"

#define TARGET
#define HAS_FMA 0
#define HAS_F16 0
#define ROWS 1
#define COLUMNS 2
#define TILE_COLUMNS 4
#define WINDOW_ROWS 2
#define WINDOW_VECTORS 1
#define QUERIES 1
#define PREFETCH 1024
#define DOT_WIDE_BIASED 0
#include "body_vector.h"

INLINE i32x16 dot(i32x16 sum, u8x64 w, int32_t x) {
  int8_t a[4];
  memcpy(a, &x, 4);
  for (int r = 0; r < 16; r++)
    for (int k = 0; k < 4; k++) sum[r] += (int32_t)w[4 * r + k] * a[k];
  return sum;
}

INLINE i32x16 dot_wide(i32x16 sum, u8x64 w, int32_t x) {
  int8_t a[4];
  memcpy(a, &x, 4);
  for (int r = 0; r < 16; r++)
    for (int k = 0; k < 4; k++) sum[r] += ((int32_t)w[4 * r + k] - 128) * a[k];
  return sum;
}

#include "body_table.h"
const continuo_table *const continuo_table_portable = &table;
