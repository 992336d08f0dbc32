// Float inner product, portable: eight running sums, so that the compiler can keep them in a
// vector without reordering anything.
#include "continuo_kernels.h"

float continuo_dot_f32(const float *a, const float *b, size_t n) {
  float sums[16] = {0};
  size_t i = 0;
  for (; i + 16 <= n; i += 16)
    for (size_t j = 0; j < 16; j++) sums[j] += a[i + j] * b[i + j];
  for (size_t j = 0; i + j < n; j++) sums[j] += a[i + j] * b[i + j];
  for (size_t width = 8; width; width /= 2)
    for (size_t j = 0; j < width; j++) sums[j] += sums[j + width];
  return sums[0];
}
