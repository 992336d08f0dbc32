// Products with float weights, row-major as in a checkpoint: two running sums of sixteen lanes for each
// pair of row and column, one for even and one for odd pieces of sixteen inputs, so that an add need not
// wait for the one before it.

INLINE void dense_block(const float *w, size_t n, int rows, const float *x, int columns, float *y,
                        size_t stride, size_t ahead) {
  f32x16 sum[ROWS][COLUMNS][2];
  UNROLL for (int r = 0; r < rows; r++) UNROLL for (int c = 0; c < columns; c++)
      UNROLL for (int k = 0; k < 2; k++) sum[r][c][k] = all(0);
  size_t i = 0;
  for (; i + 32 <= n; i += 32) {
    UNROLL for (int r = 0; r < rows; r++) {
      __builtin_prefetch(w + r * n + i + ahead, 0, 3);
      __builtin_prefetch(w + r * n + i + 16 + ahead, 0, 3);
    }
    UNROLL for (int k = 0; k < 2; k++) {
      f32x16 a[COLUMNS];
      UNROLL for (int c = 0; c < columns; c++) a[c] = load(x + c * n + i + 16 * k);
      UNROLL for (int r = 0; r < rows; r++) {
        f32x16 b = load(w + r * n + i + 16 * k);
        UNROLL for (int c = 0; c < columns; c++) sum[r][c][k] = multiply_add(b, a[c], sum[r][c][k]);
      }
    }
  }
  for (int k = 0; i < n; i += 16, k++) {
    const size_t left = n - i < 16 ? n - i : 16;
    f32x16 a[COLUMNS];
    UNROLL for (int c = 0; c < columns; c++) a[c] = load_part(x + c * n + i, left);
    UNROLL for (int r = 0; r < rows; r++) {
      f32x16 b = load_part(w + r * n + i, left);
      UNROLL for (int c = 0; c < columns; c++) {
        if (k == 0)
          sum[r][c][0] = multiply_add(b, a[c], sum[r][c][0]);
        else
          sum[r][c][1] = multiply_add(b, a[c], sum[r][c][1]);
      }
    }
  }
  UNROLL for (int r = 0; r < rows; r++) UNROLL for (int c = 0; c < columns; c++)
      y[c * stride + r] = sum_of(sum[r][c][0] + sum[r][c][1]);
}

// Rows are read one after the other, as memory likes it best, while the vectors fit into the first
// cache beside them; ROWS at a time, which then share what is loaded of the vectors, when not.
INLINE void dense_columns(const float *w, size_t rows, size_t n, const float *x, int columns, float *y,
                          size_t stride) {
  size_t r = 0;
  if (columns * n > 6144)
    for (; r + ROWS <= rows; r += ROWS)
      dense_block(w + r * n, n, ROWS, x, columns, y + r, stride,
                  ROWS == 1 ? PREFETCH / sizeof(float) : ROWS * n);
  for (; r < rows; r++)
    dense_block(w + r * n, n, 1, x, columns, y + r, stride, PREFETCH / sizeof(float));
}

TARGET static void dense_f32(const float *w, size_t rows, size_t n, const float *x, size_t count,
                             float *y, size_t stride) {
  for (size_t c = 0; c < count; c += COLUMNS) {
    const float *part = x + c * n;
    float *out = y + c * stride;
    switch (count - c < COLUMNS ? count - c : COLUMNS) {
      case 1: dense_columns(w, rows, n, part, 1, out, stride); break;
      case 2: dense_columns(w, rows, n, part, 2, out, stride); break;
      case 3: dense_columns(w, rows, n, part, 3 <= COLUMNS ? 3 : 1, out, stride); break;
      default: dense_columns(w, rows, n, part, COLUMNS, out, stride); break;
    }
  }
}

TARGET static uint64_t read_words(const void *from, size_t bytes) {
  typedef uint64_t u64x8 __attribute__((vector_size(64)));
  const char *p = from;
  u64x8 sum[4] = {0};
  for (size_t i = 0; i + 256 <= bytes; i += 256) {
    UNROLL for (int k = 0; k < 4; k++) {
      u64x8 v;
      __builtin_prefetch(p + i + PREFETCH + 64 * k, 0, 3);
      memcpy(&v, p + i + 64 * k, sizeof v);
      sum[k] += v;
    }
  }
  u64x8 total = (sum[0] + sum[1]) + (sum[2] + sum[3]);
  uint64_t result = 0;
  for (int i = 0; i < 8; i++) result += total[i];
  return result;
}
