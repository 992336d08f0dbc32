// Keys and values of one head, and the attention of a few queries over them.
//
// Keys lie in tiles of sixteen positions, dimension after dimension, so that a vector's lanes are
// positions and no sum crosses lanes; values lie position after position. Both are read once for up to
// QUERIES queries. Four running sums per query (dimensions d mod 4) hide the latency of the adds.

#define KEY_AT(T) ((T *)head->keys)[tile * D * 16 + d * 16 + lane]

TARGET static void cache_store(const continuo_head *head, size_t position, const float *key,
                               const float *value, size_t width) {
  const size_t D = head->dimension, tile = position / 16, lane = position % 16;
  if (head->format == CONTINUO_CACHE_F32) {
    float *v = (float *)head->values + position * D;
    for (size_t d = 0; d < D; d++) {
      KEY_AT(float) = d < width ? key[d] : 0;
      v[d] = d < width ? value[d] : 0;
    }
  } else if (head->format == CONTINUO_CACHE_F16) {
    uint16_t *v = (uint16_t *)head->values + position * D;
    for (size_t part = 0; part < D; part += 16) {
      const size_t left = width > part ? (width - part < 16 ? width - part : 16) : 0;
      uint16_t half[16];
      store_f16(half, load_part(key + part, left));
      for (size_t i = 0; i < 16; i++) {
        const size_t d = part + i;
        KEY_AT(uint16_t) = half[i];
      }
      store_f16(v + part, load_part(value + part, left));
    }
  } else {
    f32x16 most_k = all(0), most_v = all(0);
    for (size_t part = 0; part < D; part += 16) {
      const size_t left = width > part ? (width - part < 16 ? width - part : 16) : 0;
      most_k = larger(absolute(load_part(key + part, left)), most_k);
      most_v = larger(absolute(load_part(value + part, left)), most_v);
    }
    const float most_key = largest_of(most_k), most_value = largest_of(most_v);
    const float k = most_key > 0 ? 127 / most_key : 0, v = most_value > 0 ? 127 / most_value : 0;
    int8_t *values = (int8_t *)head->values + position * D;
    for (size_t part = 0; part < D; part += 16) {
      const size_t left = width > part ? (width - part < 16 ? width - part : 16) : 0;
      int8_t row[16];
      store_i8(row, nearest(load_part(key + part, left) * all(k)));
      for (size_t i = 0; i < 16; i++) {
        const size_t d = part + i;
        KEY_AT(int8_t) = row[i];
      }
      store_i8(values + part, nearest(load_part(value + part, left) * all(v)));
    }
    head->key_scale[position] = most_key / 127;
    head->value_scale[position] = most_value / 127;
  }
}

#define LOAD_I8(p) load_i8((const int8_t *)(p))

// scores[c][position] = key · query c for whole tiles, and the largest visible one of each query.
#define SCORES(NAME, ELEMENT, LOAD)                                                                \
  INLINE void NAME(const continuo_head *head, const float *queries, int count, size_t positions,  \
                   float *scores, size_t row) {                                                   \
    const size_t D = head->dimension;                                                              \
    const ELEMENT *keys = head->keys;                                                              \
    for (size_t p = 0; p < positions; p += 16, keys += D * 16) {                                   \
      f32x16 sum[QUERIES][4];                                                                      \
      UNROLL for (int c = 0; c < count; c++) UNROLL for (int k = 0; k < 4; k++) sum[c][k] = all(0); \
      for (size_t d = 0; d < D; d += 4) {                                                          \
        UNROLL for (int k = 0; k < 4; k++) {                                                       \
          if (k * 16 * sizeof(ELEMENT) % 64 == 0)                                                  \
            __builtin_prefetch((const char *)(keys + (d + k) * 16) + PREFETCH, 0, 3);              \
          const f32x16 key = LOAD(keys + (d + k) * 16);                                            \
          UNROLL for (int c = 0; c < count; c++) sum[c][k] =                                       \
              multiply_add(key, all(queries[c * D + d + k]), sum[c][k]);                           \
        }                                                                                          \
      }                                                                                            \
      UNROLL for (int c = 0; c < count; c++) {                                                     \
        f32x16 s = (sum[c][0] + sum[c][1]) + (sum[c][2] + sum[c][3]);                              \
        if (head->format == CONTINUO_CACHE_INT8) s = s * load(head->key_scale + p);                \
        store(scores + c * row + p, s);                                                            \
      }                                                                                            \
    }                                                                                              \
  }

SCORES(scores_f32, float, load)
SCORES(scores_f16, uint16_t, load_f16)
SCORES(scores_i8, int8_t, LOAD_I8)

// outputs[c] = Σ weights[c][position] · value, sixteen · PARTS dimensions from `first` on.
#define MIX(NAME, ELEMENT, LOAD)                                                                   \
  INLINE void NAME##_part(const continuo_head *head, const float *weights, int count,             \
                          size_t positions, size_t row, float *outputs, size_t first, int parts) { \
    const size_t D = head->dimension;                                                              \
    const ELEMENT *values = (const ELEMENT *)head->values + first;                                 \
    f32x16 sum[QUERIES][4];                                                                        \
    UNROLL for (int c = 0; c < count; c++) UNROLL for (int k = 0; k < parts; k++) sum[c][k] = all(0); \
    for (size_t p = 0; p < positions; p++, values += D) {                                          \
      UNROLL for (int k = 0; k < parts; k++) {                                                     \
        if (k * 16 * sizeof(ELEMENT) % 64 == 0)                                                    \
          __builtin_prefetch((const char *)(values + k * 16) + PREFETCH, 0, 3);                    \
        const f32x16 value = LOAD(values + k * 16);                                                \
        UNROLL for (int c = 0; c < count; c++) sum[c][k] =                                         \
            multiply_add(value, all(weights[c * row + p]), sum[c][k]);                             \
      }                                                                                            \
    }                                                                                              \
    UNROLL for (int c = 0; c < count; c++) UNROLL for (int k = 0; k < parts; k++)                  \
        store(outputs + c * D + first + 16 * k, sum[c][k]);                                        \
  }                                                                                                \
  INLINE void NAME(const continuo_head *head, const float *weights, int count, size_t positions,  \
                   size_t row, float *outputs) {                                                  \
    size_t first = 0;                                                                              \
    for (; first + 64 <= head->dimension; first += 64)                                             \
      NAME##_part(head, weights, count, positions, row, outputs, first, 4);                        \
    for (; first < head->dimension; first += 16)                                                   \
      NAME##_part(head, weights, count, positions, row, outputs, first, 1);                        \
  }

MIX(mix_f32, float, load)
MIX(mix_f16, uint16_t, load_f16)
MIX(mix_i8, int8_t, LOAD_I8)

// Turns one query's scores into e^(score − largest), zero from `visible` on; returns 1 / their sum.
// With 8-bit values their scales are multiplied in, after the sum.
INLINE float weigh(const continuo_head *head, float *scores, size_t visible, size_t positions) {
  f32x16 most = all(scores[0]);
  size_t p = 0;
  for (; p + 16 <= visible; p += 16) most = larger(load(scores + p), most);
  float largest = largest_of(most);
  for (; p < visible; p++) largest = scores[p] > largest ? scores[p] : largest;
  for (p = visible; p < positions; p++) scores[p] = -__builtin_inff();
  f32x16 total = all(0);
  for (p = 0; p < positions; p += 16) {
    f32x16 e = exponential(load(scores + p) - all(largest));
    total = total + e;
    if (head->format == CONTINUO_CACHE_INT8) e = e * load(head->value_scale + p);
    store(scores + p, e);
  }
  return 1 / sum_of(total);
}

#define FORMATS(CALL)                                                                              \
  switch (head->format) {                                                                          \
    case CONTINUO_CACHE_F32: CALL(f32); break;                                                     \
    case CONTINUO_CACHE_F16: CALL(f16); break;                                                     \
    case CONTINUO_CACHE_INT8: CALL(i8); break;                                                     \
  }

INLINE void attend_block(const continuo_head *head, const float *queries, int count, size_t visible,
                         size_t step, size_t stride, size_t width, float scale, float *scratch,
                         float *output) {
  const size_t D = head->dimension;
  const size_t most = visible + step * (count - 1), positions = (most + 15) / 16 * 16;
  float *scaled = scratch, *outputs = scratch + 4 * D, *scores = scratch + 8 * D;
  for (int c = 0; c < count; c++)
    for (size_t d = 0; d < D; d++) scaled[c * D + d] = d < width ? queries[c * stride + d] * scale : 0;
#define CALL(F) scores_##F(head, scaled, count, positions, scores, positions)
  FORMATS(CALL)
#undef CALL
  float inverse[QUERIES];
  for (int c = 0; c < count; c++)
    inverse[c] = weigh(head, scores + c * positions, visible + step * c, positions);
#define CALL(F) mix_##F(head, scores, count, most, positions, outputs)
  FORMATS(CALL)
#undef CALL
  for (int c = 0; c < count; c++)
    for (size_t d = 0; d < width; d++) output[c * stride + d] = outputs[c * D + d] * inverse[c];
}

TARGET static void attend(const continuo_head *head, const float *queries, size_t count,
                          size_t visible, size_t step, size_t stride, size_t width, float scale,
                          float *scratch, float *output) {
  for (size_t c = 0; c < count; c += QUERIES) {
    const size_t seen = visible + step * c;
    const float *q = queries + c * stride;
    float *out = output + c * stride;
    const size_t left = count - c;
#if QUERIES >= 4
    if (left >= 4) {
      attend_block(head, q, 4, seen, step, stride, width, scale, scratch, out);
      continue;
    }
    if (left == 3) {
      attend_block(head, q, 3, seen, step, stride, width, scale, scratch, out);
      continue;
    }
    if (left == 2) {
      attend_block(head, q, 2, seen, step, stride, width, scale, scratch, out);
      continue;
    }
#endif
    attend_block(head, q, 1, seen, step, stride, width, scale, scratch, out);
    (void)left;
  }
}
