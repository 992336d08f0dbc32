// Sixteen floats as one value, whatever the processor's registers hold, and what is built on it.
// Included once by each instruction set's file, after it has defined
//   TARGET   the attribute that enables its instructions
//   HAS_FMA  1 when multiply-adds are fused
//   HAS_F16  1 when the processor converts half precision
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#pragma STDC FP_CONTRACT OFF
// Vectors wider than a register are passed only to functions that are always inlined.
#pragma clang diagnostic ignored "-Wpsabi"

#define INLINE static inline __attribute__((always_inline))
#define UNROLL _Pragma("clang loop unroll(full)")

typedef float f32x16 __attribute__((vector_size(64)));
typedef int32_t i32x16 __attribute__((vector_size(64)));
typedef uint32_t u32x16 __attribute__((vector_size(64)));
typedef int8_t i8x16 __attribute__((vector_size(16)));
typedef uint8_t u8x64 __attribute__((vector_size(64)));
typedef uint16_t u16x16 __attribute__((vector_size(32)));

INLINE f32x16 load(const float *p) {
  f32x16 v;
  memcpy(&v, p, sizeof v);
  return v;
}

INLINE void store(float *p, f32x16 v) { memcpy(p, &v, sizeof v); }

INLINE f32x16 load_part(const float *p, size_t count) {
  if (count == 16) return load(p);
  f32x16 v = {0};
  for (size_t i = 0; i < count; i++) v[i] = p[i];
  return v;
}

INLINE f32x16 all(float x) {
  return (f32x16){x, x, x, x, x, x, x, x, x, x, x, x, x, x, x, x};
}

INLINE f32x16 multiply_add(f32x16 a, f32x16 b, f32x16 c) {
#if HAS_FMA
  return __builtin_elementwise_fma(a, b, c);
#else
  return a * b + c;
#endif
}

INLINE f32x16 widen_bf16(u16x16 h) {
  return (f32x16)(__builtin_convertvector(h, u32x16) << 16);
}

INLINE f32x16 load_bf16(const uint16_t *p) {
  u16x16 h;
  memcpy(&h, p, sizeof h);
  return widen_bf16(h);
}

INLINE f32x16 load_i8(const int8_t *p) {
  i8x16 b;
  memcpy(&b, p, sizeof b);
  return __builtin_convertvector(__builtin_convertvector(b, i32x16), f32x16);
}

// Whole numbers −128 … 127.
INLINE void store_i8(int8_t *p, f32x16 v) {
  const i8x16 b = __builtin_convertvector(__builtin_convertvector(v, i32x16), i8x16);
  memcpy(p, &b, sizeof b);
}

#if HAS_F16
typedef _Float16 f16x16 __attribute__((vector_size(32)));
INLINE f32x16 load_f16(const uint16_t *p) {
  f16x16 h;
  memcpy(&h, p, sizeof h);
  return __builtin_convertvector(h, f32x16);
}
INLINE void store_f16(uint16_t *p, f32x16 v) {
  f16x16 h = __builtin_convertvector(v, f16x16);
  memcpy(p, &h, sizeof h);
}
#else
// Half precision by integer arithmetic: shift the fields into place and correct the exponent.
INLINE f32x16 load_f16(const uint16_t *p) {
  u16x16 h;
  memcpy(&h, p, sizeof h);
  u32x16 w = __builtin_convertvector(h, u32x16);
  u32x16 sign = (w & 0x8000) << 16, rest = (w & 0x7fff) << 13;
  u32x16 exponent = rest & (0x7c00u << 13);
  u32x16 ordinary = rest + (112u << 23);
  u32x16 infinite = rest + (224u << 23);
  f32x16 small = (f32x16)(rest + (113u << 23)) - all(0x1p-14f);
  u32x16 is_small = (u32x16)(exponent == 0), is_infinite = (u32x16)(exponent == (0x7c00u << 13));
  u32x16 value = (ordinary & ~is_small & ~is_infinite) | ((u32x16)small & is_small) |
                 (infinite & is_infinite);
  return (f32x16)(value | sign);
}
// Rounds to the nearest, ties to even.
INLINE void store_f16(uint16_t *p, f32x16 v) {
  for (int i = 0; i < 16; i++) {
    uint32_t bits;
    float value = v[i];
    memcpy(&bits, &value, sizeof bits);
    uint32_t sign = bits >> 16 & 0x8000, magnitude = bits & 0x7fffffff, half;
    if (magnitude > 0x7f800000) {
      half = 0x7e00;
    } else if (magnitude >= 0x477ff000) {
      half = 0x7c00;
    } else if (magnitude >= 0x38800000) {
      half = (magnitude - (112u << 23) + 0xfff + (magnitude >> 13 & 1)) >> 13;
    } else {
      float tiny;
      memcpy(&tiny, &magnitude, sizeof tiny);
      tiny += 0.5f;  // leaves the multiple of 2^-24 in the lowest bits, rounded to even
      memcpy(&half, &tiny, sizeof half);
      half -= 0x3f000000;
    }
    p[i] = (uint16_t)(sign | half);
  }
}
#endif

// Σ of the lanes: halves are folded onto each other, so the order is fixed.
INLINE float sum_of(f32x16 v) {
  typedef float f32x8 __attribute__((vector_size(32)));
  typedef float f32x4 __attribute__((vector_size(16)));
  f32x8 a = __builtin_shufflevector(v, v, 0, 1, 2, 3, 4, 5, 6, 7) +
            __builtin_shufflevector(v, v, 8, 9, 10, 11, 12, 13, 14, 15);
  f32x4 b = __builtin_shufflevector(a, a, 0, 1, 2, 3) + __builtin_shufflevector(a, a, 4, 5, 6, 7);
  return (b[0] + b[2]) + (b[1] + b[3]);
}

// Where `mask` is set a, else b.
INLINE f32x16 choose(i32x16 mask, f32x16 a, f32x16 b) {
  return (f32x16)((mask & (i32x16)a) | (~mask & (i32x16)b));
}

INLINE f32x16 larger(f32x16 a, f32x16 b) { return choose(a > b, a, b); }

INLINE float largest_of(f32x16 v) {
  v = larger(v, __builtin_shufflevector(v, v, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7));
  v = larger(v, __builtin_shufflevector(v, v, 4, 5, 6, 7, 0, 1, 2, 3, 12, 13, 14, 15, 8, 9, 10, 11));
  v = larger(v, __builtin_shufflevector(v, v, 2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13));
  return v[0] > v[1] ? v[0] : v[1];
}

INLINE int32_t total_of(i32x16 v) {
  v += __builtin_shufflevector(v, v, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7);
  v += __builtin_shufflevector(v, v, 4, 5, 6, 7, 0, 1, 2, 3, 12, 13, 14, 15, 8, 9, 10, 11);
  v += __builtin_shufflevector(v, v, 2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13);
  return v[0] + v[1];
}

INLINE f32x16 absolute(f32x16 v) { return (f32x16)((u32x16)v & 0x7fffffff); }

// To the nearest integer, ties to even, for |x| < 2^22.
INLINE f32x16 nearest(f32x16 x) {
  const f32x16 big = all(12582912.0f);
  return (x + big) - big;
}

// eˣ with a relative error below 2e-7; 0 below −87.3, about 1.7e38 above 88. Cody and Waite's
// reduction with the polynomial of the Cephes library's expf.
INLINE f32x16 exponential(f32x16 x) {
  i32x16 low = x < all(-87.3f);
  x = choose(x > all(88.0f), all(88.0f), x);
  x = choose(low, all(-87.3f), x);
  f32x16 n = nearest(x * all(1.44269504f));
  f32x16 r = multiply_add(n, all(-0.693359375f), x);
  r = multiply_add(n, all(2.12194440e-4f), r);
  f32x16 p = all(1.9875691500e-4f);
  p = multiply_add(p, r, all(1.3981999507e-3f));
  p = multiply_add(p, r, all(8.3334519073e-3f));
  p = multiply_add(p, r, all(4.1665795894e-2f));
  p = multiply_add(p, r, all(1.6666665459e-1f));
  p = multiply_add(p, r, all(5.0000001201e-1f));
  p = multiply_add(p, r * r, r + all(1.0f));
  i32x16 power = (__builtin_convertvector(n, i32x16) + 127) << 23;
  f32x16 y = p * (f32x16)power;
  return (f32x16)((i32x16)y & ~low);
}
