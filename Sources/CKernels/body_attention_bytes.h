// Keys and values of one head in bytes, and the attention of a few queries over them by the same integer
// products as those of quantised weights: a product takes four bytes per lane, where widening them to
// floats would cost more than reading them.
//
// A byte is a number + 128. Queries, and the weights that the softmax gives to positions, are few; they
// are taken to fourteen bits, in two digits: n = 128 · high + low, |high| ≤ 127, −64 ≤ low ≤ 63. So all
// sums over dimensions and positions are exact, and equal on every instruction set.

#define MOST_WHOLE (127 * 128)

// Writes sixteen whole numbers, |n| ≤ MOST_WHOLE, as 16 high and 16 low digits, and adds these to totals.
INLINE void put_digits(int8_t *digits, f32x16 whole, i32x16 totals[2]) {
  const i32x16 n = __builtin_convertvector(whole, i32x16);
  const i32x16 high = (n + 64) >> 7, low = n - high * 128;
  const i8x16 bytes[2] = {__builtin_convertvector(high, i8x16), __builtin_convertvector(low, i8x16)};
  memcpy(digits, bytes, sizeof bytes);
  totals[0] += high;
  totals[1] += low;
}

INLINE size_t part_of(size_t width, size_t part) {
  return width > part ? (width - part < 16 ? width - part : 16) : 0;
}

// `apart` bytes lie between the numbers of every four.
INLINE void put_bytes(uint8_t *to, const float *x, size_t width, size_t D, float most, size_t four_apart,
                      size_t apart) {
  const float inverse = most > 0 ? 127 / most : 0;
  for (size_t part = 0; part < D; part += 16) {
    int8_t row[16];
    store_i8(row, nearest(load_part(x + part, part_of(width, part)) * all(inverse)));
    for (size_t i = 0; i < 16; i++)
      to[(part + i) / 4 * four_apart + i % 4 * apart] = (uint8_t)row[i] ^ 0x80;
  }
}

INLINE float largest_part(const float *x, size_t width) {
  f32x16 most = all(0);
  for (size_t part = 0; part < width; part += 16)
    most = larger(absolute(load_part(x + part, part_of(width, part))), most);
  return largest_of(most);
}

INLINE void store_bytes(const continuo_head *head, size_t position, const float *key,
                        const float *value, size_t width) {
  const size_t D = head->dimension, tile = position / 16, lane = position % 16;
  const float k = largest_part(key, width), v = largest_part(value, width);
  put_bytes((uint8_t *)head->keys + tile * D * 16 + lane * 4, key, width, D, k, 64, 1);
  put_bytes((uint8_t *)head->values + position / 4 * 4 * D + position % 4, value, width, D, v, 16, 4);
  head->key_scale[position] = k / 127;
  head->value_scale[position] = v / 127;
}

// A query's digits (D / 16, 2, 16) and their totals; returns what one unit is worth.
INLINE float query_digits(const float *query, size_t width, size_t D, int8_t *digits,
                          int32_t totals[2]) {
  const float most = largest_part(query, width), inverse = most > 0 ? MOST_WHOLE / most : 0;
  i32x16 sums[2] = {{0}, {0}};
  for (size_t part = 0; part < D; part += 16)
    put_digits(digits + 2 * part,
               nearest(load_part(query + part, part_of(width, part)) * all(inverse)), sums);
  for (int k = 0; k < 2; k++) totals[k] = total_of(sums[k]);
  return most / MOST_WHOLE;
}

// Turns weights ≥ 0 into digits (positions / 16, 2, 16), in their place. What rounding takes from a
// position is given to the next one in its lane, so that many small weights do not vanish together.
INLINE float weight_digits(float *weights, size_t positions, int32_t totals[2]) {
  f32x16 most = all(0), carry = all(0);
  for (size_t p = 0; p < positions; p += 16) most = larger(load(weights + p), most);
  const float largest = largest_of(most), inverse = largest > 0 ? MOST_WHOLE / largest : 0;
  int8_t *digits = (int8_t *)weights;
  i32x16 sums[2] = {{0}, {0}};
  for (size_t p = 0; p < positions; p += 16) {
    const f32x16 wanted = load(weights + p) * all(inverse) + carry, whole = nearest(wanted);
    carry = wanted - whole;
    put_digits(digits + 2 * p, whole, sums);
  }
  for (int k = 0; k < 2; k++) totals[k] = total_of(sums[k]);
  return largest / MOST_WHOLE;
}

INLINE f32x16 from_digits(const i32x16 sum[2]) {
  return multiply_add(__builtin_convertvector(sum[0], f32x16), all(128),
                      __builtin_convertvector(sum[1], f32x16));
}

// Where a sum begins, given the total of the digits that it multiplies.
INLINE i32x16 sum_start(int32_t total) {
  return (i32x16){} + (DOT_WIDE_BIASED ? -128 * total : 0);
}

// scores[c][position] = key · query c for whole tiles.
INLINE void scores_bytes(const continuo_head *head, const int8_t *digits, int32_t totals[][2],
                         const float *units, int count, size_t positions, float *scores, size_t row) {
  const size_t D = head->dimension;
  const uint8_t *keys = head->keys;
  for (size_t p = 0; p < positions; p += 16) {
    i32x16 sum[QUERIES][2];
    UNROLL for (int c = 0; c < count; c++) UNROLL for (int k = 0; k < 2; k++) sum[c][k] =
        sum_start(totals[c][k]);
    for (size_t part = 0; part < D; part += 16) {
      UNROLL for (int i = 0; i < 4; i++, keys += 64) {
        __builtin_prefetch(keys + PREFETCH, 0, 2);
        const u8x64 key = load_bytes(keys);
        UNROLL for (int c = 0; c < count; c++) UNROLL for (int k = 0; k < 2; k++) sum[c][k] =
            dot_wide(sum[c][k], key, four(digits + 4 * c * D + 2 * part + 16 * k + 4 * i));
      }
    }
    const f32x16 scale = load(head->key_scale + p);
    UNROLL for (int c = 0; c < count; c++)
        store(scores + c * row + p, from_digits(sum[c]) * scale * all(units[c]));
  }
}

// outputs[c] = Σ weights[c][position] · value, sixteen · `vectors` dimensions from `first` on.
INLINE void mix_bytes_part(const continuo_head *head, const float *weights, int32_t totals[][2],
                           const float *units, int count, size_t positions, size_t row, float *outputs,
                           size_t first, int vectors) {
  const size_t D = head->dimension;
  const uint8_t *values = (const uint8_t *)head->values + 4 * first;
  i32x16 sum[QUERIES][4][2];
  UNROLL for (int c = 0; c < count; c++) UNROLL for (int v = 0; v < vectors; v++)
      UNROLL for (int k = 0; k < 2; k++) sum[c][v][k] = sum_start(totals[c][k]);
  for (size_t p = 0; p < positions; p += 16) {
    const int8_t *digits = (const int8_t *)weights + 2 * p;
    for (int i = 0; i < 4; i++, values += 4 * D) {
      UNROLL for (int v = 0; v < vectors; v++) {
        __builtin_prefetch(values + 64 * v + PREFETCH, 0, 2);
        const u8x64 value = load_bytes(values + 64 * v);
        UNROLL for (int c = 0; c < count; c++) UNROLL for (int k = 0; k < 2; k++) sum[c][v][k] =
            dot_wide(sum[c][v][k], value, four(digits + 4 * c * row + 16 * k + 4 * i));
      }
    }
  }
  UNROLL for (int c = 0; c < count; c++) UNROLL for (int v = 0; v < vectors; v++)
      store(outputs + c * D + first + 16 * v, from_digits(sum[c][v]) * all(units[c]));
}

INLINE void mix_bytes(const continuo_head *head, const float *weights, int32_t totals[][2],
                      const float *units, int count, size_t positions, size_t row, float *outputs) {
  const size_t D = head->dimension;
  size_t first = 0;
  // As many sums as there are registers for.
  if (QUERIES >= 4 && count <= 2)
    for (; first + 64 <= D; first += 64)
      mix_bytes_part(head, weights, totals, units, count, positions, row, outputs, first, 4);
  for (; first + 32 <= D; first += 32)
    mix_bytes_part(head, weights, totals, units, count, positions, row, outputs, first, 2);
  if (first < D) mix_bytes_part(head, weights, totals, units, count, positions, row, outputs, first, 1);
}
