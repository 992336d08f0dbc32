// Products of windows over a signal with weights in panels of 32 outputs, and the cell of an LSTM.
//
// A panel is (k, 32), so a vector's lanes are outputs, no sum crosses lanes, and a window's numbers are
// broadcast from where they lie: windows may overlap and nothing is copied. Every output is one running
// sum over k in order, so it does not depend on the number of rows in a call. WINDOW_ROWS ×
// WINDOW_VECTORS sums are in flight at a time.

INLINE f32x16 load_i16(const int16_t *p) {
  typedef int16_t i16x16 __attribute__((vector_size(32)));
  i16x16 h;
  memcpy(&h, p, sizeof h);
  return __builtin_convertvector(__builtin_convertvector(h, i32x16), f32x16);
}

// `rows` windows by `vectors` vectors of outputs, to `sums` (rows, vectors). Vector v lies `step`
// weights behind vector v − 2. Weights are 16-bit numbers when `words` is given, else floats.
INLINE void window_sums(const float *panel, const int16_t *words, int is_words, size_t k, size_t step,
                        const float *x, size_t apart, int rows, int vectors, f32x16 *sums) {
  // Every third row has a pointer; the two behind it are reached by index.
  const float *at[(WINDOW_ROWS + 2) / 3];
  f32x16 sum[WINDOW_ROWS][8];
  UNROLL for (int r = 0; r < rows; r += 3) at[r / 3] = x + (size_t)r * apart;
  UNROLL for (int r = 0; r < rows; r++) UNROLL for (int v = 0; v < vectors; v++) sum[r][v] = all(0);
  for (size_t i = 0; i < k; i++) {
    f32x16 w[8];
    UNROLL for (int v = 0; v < vectors; v++) {
      const size_t place = 32 * i + v / 2 * step + v % 2 * 16;
      w[v] = is_words ? load_i16(words + place) : load(panel + place);
    }
    UNROLL for (int r = 0; r < rows; r++) {
      const f32x16 a = all(at[r / 3][(size_t)(r % 3) * apart]);
      UNROLL for (int v = 0; v < vectors; v++) sum[r][v] = multiply_add(a, w[v], sum[r][v]);
    }
    UNROLL for (int r = 0; r < rows; r += 3) at[r / 3]++;
  }
  UNROLL for (int r = 0; r < rows; r++) UNROLL for (int v = 0; v < vectors; v++)
      sums[r * vectors + v] = sum[r][v];
}

// Adds what is to be added, applies ELU if it is wanted, and stores.
TARGET __attribute__((noinline)) static void window_finish(const continuo_windows *w, size_t first,
                                                           size_t rows, size_t vectors,
                                                           const float *skip, int activate,
                                                           const f32x16 *sums, float *y) {
  for (size_t r = 0; r < rows; r++) {
    for (size_t v = 0; v < vectors; v++) {
      const size_t column = first + 16 * v;
      if (column >= w->outputs) break;
      const size_t left = w->outputs - column;
      const size_t place = r * w->outputs + column;
      f32x16 value = sums[r * vectors + v];
      if (w->words) value = value * load(w->scales + column);
      if (w->bias) value = value + load(w->bias + column);
      if (skip) value = value + (left >= 16 ? load(skip + place) : load_part(skip + place, left));
      if (activate) value = elu_of(value);
      if (left >= 16)
        store(y + place, value);
      else
        for (size_t i = 0; i < left; i++) y[place + i] = value[i];
    }
  }
}

#define WINDOW_BLOCK(R, V)                                                                         \
  {                                                                                                \
    f32x16 sums[R * V];                                                                            \
    window_sums(panel, words, is_words, w->k, 32 * w->k, x, apart, R, V, sums);                    \
    window_finish(w, first, R, V, skip, activate, sums, y);                                        \
    break;                                                                                         \
  }

// One block of rows with `vectors` vectors from output `first` on.
INLINE void window_block(const continuo_windows *w, int is_words, size_t first, int vectors,
                         const float *x, size_t apart, size_t rows, const float *skip, int activate,
                         float *y) {
  const size_t place = first / 32 * 32 * w->k + first % 32;
  const float *panel = is_words ? NULL : w->panels + place;
  const int16_t *words = is_words ? w->words + place : NULL;
  switch (rows) {
    case 1: WINDOW_BLOCK(1, vectors)
    case 2: WINDOW_BLOCK(2, vectors)
#if WINDOW_ROWS > 2
    case 3: WINDOW_BLOCK(3, vectors)
    case 4: WINDOW_BLOCK(4, vectors)
#endif
#if WINDOW_ROWS > 4
    case 5: WINDOW_BLOCK(5, vectors)
    case 6: WINDOW_BLOCK(6, vectors)
#endif
#if WINDOW_ROWS > 6
    case 7: WINDOW_BLOCK(7, vectors)
    case 8: WINDOW_BLOCK(8, vectors)
    case 9: WINDOW_BLOCK(9, vectors)
    case 10: WINDOW_BLOCK(10, vectors)
    case 11: WINDOW_BLOCK(11, vectors)
    case 12: WINDOW_BLOCK(12, vectors)
#endif
  }
}

// One output: the lanes run over k.
TARGET static void windows_single(const continuo_windows *w, const float *x, size_t apart,
                                  size_t rows, const float *skip, int activate, float *y) {
  for (size_t r = 0; r < rows; r++, x += apart) {
    f32x16 sum[4];
    UNROLL for (int j = 0; j < 4; j++) sum[j] = all(0);
    size_t i = 0;
    for (; i + 64 <= w->k; i += 64)
      UNROLL for (int j = 0; j < 4; j++) sum[j] =
          multiply_add(load(x + i + 16 * j), load(w->panels + i + 16 * j), sum[j]);
    for (; i + 16 <= w->k; i += 16) sum[0] = multiply_add(load(x + i), load(w->panels + i), sum[0]);
    if (i < w->k)
      sum[0] = multiply_add(load_part(x + i, w->k - i), load_part(w->panels + i, w->k - i), sum[0]);
    float value = sum_of((sum[0] + sum[1]) + (sum[2] + sum[3]));
    if (w->bias) value += w->bias[0];
    if (skip) value += skip[r];
    y[r] = activate ? elu_of(all(value))[0] : value;
  }
}

INLINE void windows_each(const continuo_windows *w, int is_words, size_t first, size_t last,
                         const float *x, size_t apart, size_t rows, const float *skip, int activate,
                         float *y) {
  size_t p = first;
  // Few rows leave most sums idle, so several panels are read at a time.
  if (WINDOW_VECTORS == 2 && rows <= 2)
    for (const size_t group = rows == 1 ? 4 : 2; p + group <= last; p += group) {
      if (rows == 1)
        window_block(w, is_words, 32 * p, 8, x, apart, 1, skip, activate, y);
      else
        window_block(w, is_words, 32 * p, 4, x, apart, 2, skip, activate, y);
    }
  const size_t blocks = (rows + WINDOW_ROWS - 1) / WINDOW_ROWS;
  for (; p < last; p++)
    for (int half = 0; half < 2; half += WINDOW_VECTORS) {
      const size_t column = 32 * p + 16 * half;
      if (column >= w->outputs) break;
      // Blocks of about equal size: one that is nearly empty would read the panel for little.
      for (size_t b = 0, r = 0; b < blocks; b++) {
        const size_t count = rows / blocks + (b < rows % blocks);
        window_block(w, is_words, column, WINDOW_VECTORS, x + r * apart, apart, count,
                     skip ? skip + r * w->outputs : NULL, activate, y + r * w->outputs);
        r += count;
      }
    }
}

TARGET static void windows(const continuo_windows *w, size_t first, size_t last, const float *x,
                           size_t apart, size_t rows, const float *skip, int activate, float *y) {
  if (rows == 0) return;
  if (w->outputs == 1)
    windows_single(w, x, apart, rows, skip, activate, y);
  else if (w->words)
    windows_each(w, 1, first, last, x, apart, rows, skip, activate, y);
  else
    windows_each(w, 0, first, last, x, apart, rows, skip, activate, y);
}

TARGET static void elu_copy(const float *x, size_t n, float *y) {
  size_t i = 0;
  for (; i + 16 <= n; i += 16) store(y + i, elu_of(load(x + i)));
  if (i < n) {
    const f32x16 v = elu_of(load_part(x + i, n - i));
    for (size_t k = 0; i + k < n; k++) y[i + k] = v[k];
  }
}

TARGET static void lstm_cell(const float *gates, size_t width, float *hidden, float *cell) {
  for (size_t i = 0; i < width; i += 16) {
    const size_t left = width - i;
    f32x16 g[4], c;
    if (left >= 16) {
      UNROLL for (int k = 0; k < 4; k++) g[k] = load(gates + k * width + i);
      c = load(cell + i);
    } else {
      UNROLL for (int k = 0; k < 4; k++) g[k] = load_part(gates + k * width + i, left);
      c = load_part(cell + i, left);
    }
    c = sigmoid_of(g[1]) * c + sigmoid_of(g[0]) * tanh_of(g[2]);
    const f32x16 h = sigmoid_of(g[3]) * tanh_of(c);
    if (left >= 16) {
      store(cell + i, c);
      store(hidden + i, h);
    } else {
      for (size_t k = 0; k < left; k++) {
        cell[i + k] = c[k];
        hidden[i + k] = h[k];
      }
    }
  }
}
