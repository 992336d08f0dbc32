// Products with weights of 16, 8 and 4 bits in tiles of sixteen rows. The lanes of a vector are the rows
// of a tile, so no sum crosses lanes. The file that includes this defines
//   dot(sum, w, x)         adds four products per lane, w unsigned below 16, x signed
//   dot_wide(sum, w, x)    the same for all w + 128
//   DOT_WIDE_BIASED        1 when dot_wide multiplies w + 128, 0 when it takes the 128 off itself

// Two bfloat16 weights share a word: the even input's in its low half, the odd one's in its high half,
// each a float once the other is gone. Four running sums (inputs i mod 4) hide the latency of the adds.
INLINE u32x16 load_words(const uint8_t *p) {
  u32x16 v;
  memcpy(&v, p, sizeof v);
  return v;
}

INLINE void put(float *y, f32x16 v, size_t rows) {
  if (rows >= 16) {
    store(y, v);
  } else {
    for (size_t r = 0; r < rows; r++) y[r] = v[r];
  }
}

INLINE void tile_bf16(const uint8_t *tile, size_t rows, size_t n, const float *x, int columns,
                      float *y, size_t stride) {
  const uint8_t *w = tile;
  f32x16 sum[TILE_COLUMNS][4];
  UNROLL for (int c = 0; c < columns; c++) UNROLL for (int k = 0; k < 4; k++) sum[c][k] = all(0);
  size_t i = 0;
  for (; i + 4 <= n; i += 4, w += 128) {
    UNROLL for (int k = 0; k < 2; k++) {
      __builtin_prefetch(w + PREFETCH + 64 * k, 0, 3);
      const u32x16 both = load_words(w + 64 * k);
      const f32x16 even = (f32x16)(both << 16), odd = (f32x16)(both & 0xffff0000);
      UNROLL for (int c = 0; c < columns; c++) {
        const float *a = x + c * n + i + 2 * k;
        sum[c][2 * k] = multiply_add(even, all(a[0]), sum[c][2 * k]);
        sum[c][2 * k + 1] = multiply_add(odd, all(a[1]), sum[c][2 * k + 1]);
      }
    }
  }
  UNROLL for (int k = 0; k < 2; k++) {  // up to three inputs are left
    const size_t at = i + 2 * k;
    if (at >= n) continue;
    const u32x16 both = load_words(w + 64 * k);
    const f32x16 even = (f32x16)(both << 16), odd = (f32x16)(both & 0xffff0000);
    UNROLL for (int c = 0; c < columns; c++) {
      const float *a = x + c * n + at;
      sum[c][2 * k] = multiply_add(even, all(a[0]), sum[c][2 * k]);
      if (at + 1 < n) sum[c][2 * k + 1] = multiply_add(odd, all(a[1]), sum[c][2 * k + 1]);
    }
  }
  UNROLL for (int c = 0; c < columns; c++)
      put(y + c * stride, (sum[c][0] + sum[c][1]) + (sum[c][2] + sum[c][3]), rows);
}

TARGET static void tiles_bf16(const uint8_t *tiles, size_t bytes, size_t rows, size_t n,
                              const float *x, size_t count, float *y, size_t stride) {
  for (size_t c = 0; c < count; c += TILE_COLUMNS) {
    const size_t columns = count - c < TILE_COLUMNS ? count - c : TILE_COLUMNS;
    for (size_t r = 0; r < rows; r += 16) {
      const uint8_t *tile = tiles + r / 16 * bytes;
      const float *a = x + c * n;
      float *out = y + c * stride + r;
      switch (columns) {
        case 1: tile_bf16(tile, rows - r, n, a, 1, out, stride); break;
        case 2: tile_bf16(tile, rows - r, n, a, 2, out, stride); break;
        case 3: tile_bf16(tile, rows - r, n, a, 3 <= TILE_COLUMNS ? 3 : 1, out, stride); break;
        default: tile_bf16(tile, rows - r, n, a, TILE_COLUMNS, out, stride); break;
      }
    }
  }
}

TARGET static void quantise(const float *x, size_t n, size_t column,
                            const continuo_activations *into) {
  const size_t groups = into->groups, group = into->group;
  int8_t *q = into->q + column * groups * group;
  float *scales = into->scale + column * groups, *sums = into->sum + column * groups;
  int32_t *totals = into->total + column * groups;
  for (size_t g = 0; g < groups; g++, q += group) {
    const float *part = x + g * group;
    const size_t left = n - g * group < group ? n - g * group : group;
    f32x16 v[16], most = all(0);
    const size_t vectors = group / 16;
    for (size_t k = 0; k < vectors; k++) {
      v[k] = k * 16 + 16 <= left ? load(part + k * 16)
                                 : load_part(part + k * 16, left > k * 16 ? left - k * 16 : 0);
      most = larger(absolute(v[k]), most);
    }
    const float peak = largest_of(most);
    const float inverse = peak > 0 ? 127 / peak : 0;
    i32x16 total = {0};
    for (size_t k = 0; k < vectors; k++) {
      i32x16 rounded = __builtin_convertvector(nearest(v[k] * all(inverse)), i32x16);
      total += rounded;
      i8x16 narrow = __builtin_convertvector(rounded, i8x16);
      memcpy(q + k * 16, &narrow, sizeof narrow);
    }
    const int32_t sum = total_of(total);
    scales[g] = peak / 127;
    totals[g] = sum;
    sums[g] = scales[g] * (float)sum;
  }
}

INLINE u8x64 load_bytes(const uint8_t *p) {
  u8x64 v;
  memcpy(&v, p, sizeof v);
  return v;
}

INLINE int32_t four(const int8_t *p) {
  int32_t word;
  memcpy(&word, p, sizeof word);
  return word;
}

INLINE void tile_int8(const uint8_t *tile, size_t rows,
                      const continuo_activations *x, size_t first, int columns, float *y,
                      size_t stride) {
  const size_t groups = x->groups, group = x->group, width = groups * group;
  const uint8_t *w = tile;
  const int8_t *q = x->q + first * width;
  f32x16 scale, scale_after = all(0);
  f32x16 sum[TILE_COLUMNS];
  UNROLL for (int c = 0; c < columns; c++) sum[c] = all(0);
  for (size_t g = 0; g < groups; g++, q += group) {
    if (g % 2 == 0) {
      scale = load_bf16((const uint16_t *)w);
      scale_after = load_bf16((const uint16_t *)w + 16);
      w += 64;
    } else {
      scale = scale_after;
    }
    i32x16 part[TILE_COLUMNS];
    UNROLL for (int c = 0; c < columns; c++) {
      const int32_t start = DOT_WIDE_BIASED ? -128 * x->total[(first + c) * groups + g] : 0;
      part[c] = (i32x16){} + start;
    }
    for (size_t i = 0; i < group; i += 16, w += 256) {
      UNROLL for (int k = 0; k < 4; k++) {
        __builtin_prefetch(w + PREFETCH + 64 * k, 0, 3);
        u8x64 b = load_bytes(w + 64 * k);
        UNROLL for (int c = 0; c < columns; c++) part[c] =
            dot_wide(part[c], b, four(q + c * width + i + 4 * k));
      }
    }
    UNROLL for (int c = 0; c < columns; c++) sum[c] =
        multiply_add(__builtin_convertvector(part[c], f32x16) * scale,
                     all(x->scale[(first + c) * groups + g]), sum[c]);
  }
  UNROLL for (int c = 0; c < columns; c++) put(y + c * stride, sum[c], rows);
}

INLINE void tile_int4(const uint8_t *tile, size_t rows,
                      const continuo_activations *x, size_t first, int columns, float *y,
                      size_t stride) {
  const size_t groups = x->groups, group = x->group, width = groups * group;
  const uint8_t *w = tile;
  const int8_t *q = x->q + first * width;
  f32x16 sum[TILE_COLUMNS];
  UNROLL for (int c = 0; c < columns; c++) sum[c] = all(0);
  for (size_t g = 0; g < groups; g++, q += group) {
    const f32x16 scale = load_bf16((const uint16_t *)w);
    const f32x16 offset = load_bf16((const uint16_t *)w + 16);
    w += 64;
    i32x16 part[TILE_COLUMNS];
    UNROLL for (int c = 0; c < columns; c++) part[c] = (i32x16){};
    for (size_t i = 0; i < group; i += 32, w += 256) {
      UNROLL for (int k = 0; k < 4; k++) {
        __builtin_prefetch(w + PREFETCH + 64 * k, 0, 3);
        const u8x64 both = load_bytes(w + 64 * k);
        const u8x64 low = both & 15, high = both >> 4;
        UNROLL for (int c = 0; c < columns; c++) {
          const int8_t *a = q + c * width + i + 8 * k;
          part[c] = dot(part[c], low, four(a));
          part[c] = dot(part[c], high, four(a + 4));
        }
      }
    }
    UNROLL for (int c = 0; c < columns; c++) {
      const size_t at = (first + c) * groups + g;
      sum[c] = multiply_add(__builtin_convertvector(part[c], f32x16) * scale, all(x->scale[at]),
                            sum[c]);
      sum[c] = multiply_add(offset, all(x->sum[at]), sum[c]);
    }
  }
  UNROLL for (int c = 0; c < columns; c++) put(y + c * stride, sum[c], rows);
}

#define TILES(NAME, TILE)                                                                           \
  TARGET static void NAME(const uint8_t *tiles, size_t bytes, size_t rows,                         \
                          const continuo_activations *x, size_t count, float *y, size_t stride) {  \
    for (size_t c = 0; c < count; c += TILE_COLUMNS) {                                              \
      const size_t columns = count - c < TILE_COLUMNS ? count - c : TILE_COLUMNS;                   \
      for (size_t r = 0; r < rows; r += 16) {                                                       \
        const uint8_t *tile = tiles + r / 16 * bytes;                                               \
        float *out = y + c * stride + r;                                                            \
        switch (columns) {                                                                          \
          case 1: TILE(tile, rows - r, x, c, 1, out, stride); break;                         \
          case 2: TILE(tile, rows - r, x, c, 2, out, stride); break;                         \
          case 3: TILE(tile, rows - r, x, c, 3, out, stride); break;                         \
          default: TILE(tile, rows - r, x, c, 4, out, stride); break;                        \
        }                                                                                           \
      }                                                                                             \
    }                                                                                               \
  }

TILES(tiles_int8, tile_int8)
TILES(tiles_int4, tile_int4)
