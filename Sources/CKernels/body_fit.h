// Choosing 8- and 4-bit numbers for one group of weights. What is minimised, and where the search comes
// from, is said in Kernels/WeightQuantisation.swift.

INLINE uint16_t to_bf16(float x) {
  uint32_t bits;
  memcpy(&bits, &x, sizeof bits);
  return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

INLINE float from_bf16(uint16_t h) {
  uint32_t bits = (uint32_t)h << 16;
  float x;
  memcpy(&x, &bits, sizeof x);
  return x;
}

INLINE f32x16 codes_of(f32x16 w, float inverse, float start) {
  f32x16 q = nearest(multiply_add(w, all(inverse), all(start)));
  q = choose(q > all(15), all(15), q);
  return choose(q > all(0), q, all(0));
}

// Σ h (w − decoded)², and in `sums` what weighted least squares needs: Σh, Σhq, Σhq², Σhw, Σhqw.
INLINE float assess(const float *w, const float *h, size_t n, float scale, float offset,
                    float *sums) {
  const float inverse = scale != 0 ? 1 / scale : 0, start = scale != 0 ? -offset / scale : 0;
  f32x16 error = all(0), a = all(0), b = all(0), c = all(0), d = all(0), e = all(0);
  for (size_t i = 0; i < n; i += 16) {
    const f32x16 x = load(w + i), y = load(h + i), q = codes_of(x, inverse, start);
    const f32x16 lost = x - multiply_add(q, all(scale), all(offset)), yq = y * q;
    error = multiply_add(y * lost, lost, error);
    a = a + y;
    b = b + yq;
    c = multiply_add(yq, q, c);
    d = multiply_add(y, x, d);
    e = multiply_add(yq, x, e);
  }
  sums[0] = sum_of(a);
  sums[1] = sum_of(b);
  sums[2] = sum_of(c);
  sums[3] = sum_of(d);
  sums[4] = sum_of(e);
  return sum_of(error);
}

TARGET static void fit_int4(const float *w, const float *h, size_t n, uint16_t *scale,
                            uint16_t *offset, uint8_t *codes) {
  float lowest = w[0], highest = w[0];
  for (size_t i = 1; i < n; i++) {
    lowest = w[i] < lowest ? w[i] : lowest;
    highest = w[i] > highest ? w[i] : highest;
  }
  const float range = highest - lowest;
  float sums[5], least = __builtin_inff();
  uint16_t best_scale = 0, best_offset = to_bf16(lowest);
  if (range > 0) {
    for (int step = -1; step < 16; step++) {
      const float shrink = step > 0 ? (float)step * 0.02f : 0;
      float s = range * (1 - shrink) / 15, o = lowest + range * shrink / 2;
      // First the plain range as it is, then every range refitted twice.
      for (int round = step < 0 ? 1 : 0; round < 3; round++) {
        if (round > 0) {
          const uint16_t bs = to_bf16(s), bo = to_bf16(o);
          float ignored[5];
          const float error = assess(w, h, n, from_bf16(bs), from_bf16(bo), ignored);
          if (error < least) {
            least = error;
            best_scale = bs;
            best_offset = bo;
          }
          if (step < 0 || round == 2) break;
        }
        assess(w, h, n, s, o, sums);
        const float determinant = sums[0] * sums[2] - sums[1] * sums[1];
        if (!(determinant > 1e-6f * sums[0] * sums[2])) continue;
        s = (sums[0] * sums[4] - sums[1] * sums[3]) / determinant;
        o = (sums[2] * sums[3] - sums[1] * sums[4]) / determinant;
      }
    }
  }
  *scale = best_scale;
  *offset = best_offset;
  const float s = from_bf16(best_scale), o = from_bf16(best_offset);
  const float inverse = s != 0 ? 1 / s : 0, start = s != 0 ? -o / s : 0;
  for (size_t i = 0; i < n; i += 16) {
    const f32x16 q = codes_of(load(w + i), inverse, start);
    const i8x16 narrow = __builtin_convertvector(__builtin_convertvector(q, i32x16), i8x16);
    memcpy(codes + i, &narrow, 16);
  }
}

TARGET static void fit_int8(const float *w, size_t n, uint16_t *scale, uint8_t *codes) {
  f32x16 most = all(0);
  for (size_t i = 0; i < n; i += 16) most = larger(absolute(load(w + i)), most);
  const float peak = largest_of(most);
  // Rounded up, so that the largest weight stays within 127.
  uint32_t bits;
  const float step = peak / 127;
  memcpy(&bits, &step, sizeof bits);
  uint16_t s = (uint16_t)(bits >> 16);
  if (from_bf16(s) * 127 < peak) s++;
  *scale = s;
  const float inverse = from_bf16(s) > 0 ? 1 / from_bf16(s) : 0;
  for (size_t i = 0; i < n; i += 16) {
    f32x16 q = nearest(load(w + i) * all(inverse));
    q = choose(q > all(127), all(127), q);
    q = choose(q > all(-127), q, all(-127));
    const i8x16 narrow = __builtin_convertvector(__builtin_convertvector(q, i32x16) + 128, i8x16);
    memcpy(codes + i, &narrow, 16);
  }
}
