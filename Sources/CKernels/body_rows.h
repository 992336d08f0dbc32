// Softmax, GELU and normalisation of one row.

TARGET static void softmax(float *x, size_t n) {
  if (n == 0) return;
  float largest = x[0];
  f32x16 most = all(x[0]);
  size_t i = 0;
  for (; i + 16 <= n; i += 16) most = larger(load(x + i), most);
  largest = largest_of(most);
  for (; i < n; i++) largest = x[i] > largest ? x[i] : largest;
  f32x16 total = all(0);
  for (i = 0; i + 16 <= n; i += 16) {
    const f32x16 e = exponential(load(x + i) - all(largest));
    total = total + e;
    store(x + i, e);
  }
  float rest = 0;
  if (i < n) {
    const f32x16 e = exponential(load_part(x + i, n - i) - all(largest));
    for (size_t k = 0; i + k < n; k++) {
      x[i + k] = e[k];
      rest += e[k];
    }
  }
  const float scale = 1 / (sum_of(total) + rest);
  for (i = 0; i < n; i++) x[i] *= scale;
}

// erf by Abramowitz and Stegun 7.1.26: absolute error below 1.5e-7.
INLINE f32x16 gelu_of(f32x16 x) {
  const f32x16 z = absolute(x) * all(0.70710678f);
  const f32x16 t = all(1) / multiply_add(z, all(0.3275911f), all(1));
  f32x16 p = all(1.061405429f);
  p = multiply_add(p, t, all(-1.453152027f));
  p = multiply_add(p, t, all(1.421413741f));
  p = multiply_add(p, t, all(-0.284496736f));
  p = multiply_add(p, t, all(0.254829592f));
  // ½ erfc(z): what x loses of itself when positive, keeps when negative.
  const f32x16 tail = all(0.5f) * p * t * exponential(-z * z);
  return choose(x > all(0), x - x * tail, x * tail);
}

TARGET static void layer_norm(const float *x, const float *weight, const float *bias, size_t n,
                              float epsilon, float *y) {
  f32x16 total = all(0);
  size_t i = 0;
  for (; i + 16 <= n; i += 16) total = total + load(x + i);
  if (i < n) total = total + load_part(x + i, n - i);
  const float mean = sum_of(total) / (float)n;
  f32x16 squares = all(0);
  for (i = 0; i + 16 <= n; i += 16) {
    const f32x16 centred = load(x + i) - all(mean);
    squares = multiply_add(centred, centred, squares);
  }
  float rest = 0;
  for (; i < n; i++) rest += (x[i] - mean) * (x[i] - mean);
  const float scale = 1 / __builtin_sqrtf((sum_of(squares) + rest) / (float)n + epsilon);
  for (i = 0; i < n; i++) {
    const float normal = (x[i] - mean) * scale * weight[i];
    y[i] = bias ? normal + bias[i] : normal;
  }
}

TARGET static void rms_norm(const float *x, const float *weight, size_t n, float epsilon, float *y) {
  f32x16 squares = all(0);
  size_t i = 0;
  for (; i + 16 <= n; i += 16) {
    const f32x16 v = load(x + i);
    squares = multiply_add(v, v, squares);
  }
  float rest = 0;
  for (; i < n; i++) rest += x[i] * x[i];
  const float scale = 1 / __builtin_sqrtf((sum_of(squares) + rest) / (float)n + epsilon);
  for (i = 0; i < n; i++) y[i] = x[i] * scale * weight[i];
}

// Applies a function of sixteen lanes to a row in place.
#define EACH(NAME, FUNCTION)                                                                       \
  TARGET static void NAME(float *x, size_t n) {                                                    \
    size_t i = 0;                                                                                  \
    for (; i + 16 <= n; i += 16) store(x + i, FUNCTION(load(x + i)));                              \
    if (i < n) {                                                                                   \
      const f32x16 y = FUNCTION(load_part(x + i, n - i));                                          \
      for (size_t k = 0; i + k < n; k++) x[i + k] = y[k];                                          \
    }                                                                                              \
  }

// eˣ − 1 for negative x: Taylor's series near zero, where the difference would lose digits.
INLINE f32x16 elu_of(f32x16 x) {
  f32x16 p = multiply_add(x, all(1.0f / 5040), all(1.0f / 720));
  p = multiply_add(p, x, all(1.0f / 120));
  p = multiply_add(p, x, all(1.0f / 24));
  p = multiply_add(p, x, all(1.0f / 6));
  p = multiply_add(p, x, all(0.5f));
  const f32x16 near = multiply_add(p * x, x, x), far = exponential(x) - all(1);
  return choose(x > all(0), x, choose(x > all(-0.35f), near, far));
}

INLINE f32x16 sigmoid_of(f32x16 x) { return all(1) / (all(1) + exponential(-x)); }

// Through e^(−2|x|); x − x³/3 + 2x⁵/15 near zero.
INLINE f32x16 tanh_of(f32x16 x) {
  const f32x16 e = exponential(absolute(x) * all(-2));
  const f32x16 size = (all(1) - e) / (all(1) + e);
  const f32x16 signed_size = (f32x16)((u32x16)size | ((u32x16)x & 0x80000000));
  const f32x16 s = x * x;
  f32x16 p = multiply_add(s, all(-17.0f / 315), all(2.0f / 15));
  p = multiply_add(p, s, all(-1.0f / 3));
  const f32x16 near = multiply_add(p * s, x, x);
  return choose(absolute(x) < all(0.1f), near, signed_size);
}

EACH(gelu, gelu_of)
EACH(elu, elu_of)
EACH(sigmoid, sigmoid_of)
EACH(hyperbolic_tangent, tanh_of)
