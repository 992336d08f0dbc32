// Every instruction set of CKernels that this processor has, compared with the portable one on random
// data of awkward sizes. A plain C program, so that it can be compiled for another processor and run under
// an emulator (`Tests/portability`). Prints one line per set and function, then `N passed, M failed`.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "continuo_kernels.h"

static uint64_t state = 0x9e3779b97f4a7c15u;
static uint32_t bits(void) {
  state = state * 6364136223846793005u + 1442695040888963407u;
  return (uint32_t)(state >> 33);
}
static float uniform(void) { return (float)(bits() & 0xffffff) / 8388608.0f - 1.0f; }
static float *floats(size_t count) {
  float *x = aligned_alloc(64, (count * sizeof(float) + 127) / 64 * 64);
  for (size_t i = 0; i < count; i++) x[i] = uniform();
  return x;
}
static uint16_t brain(float x) {
  uint32_t word;
  memcpy(&word, &x, 4);
  return (uint16_t)(word >> 16);
}

/// Where one function's outputs go; a case fills it once per instruction set.
typedef struct results {
  float *values;
  size_t count, room;
} results;
static void keep(results *into, const float *values, size_t count) {
  if (into->count + count > into->room) {
    into->room = (into->count + count) * 2;
    into->values = realloc(into->values, into->room * sizeof(float));
  }
  memcpy(into->values + into->count, values, count * sizeof(float));
  into->count += count;
}

enum { sizes = 4 };
static const size_t columns_of[sizes] = {32, 96, 160, 1024};
static const size_t rows_of[sizes] = {1, 7, 33, 48};
static const size_t counts[sizes] = {1, 2, 3, 9};

static void dense_f32(results *into) {
  for (int s = 0; s < sizes; s++)
    for (int c = 0; c < sizes; c++) {
      size_t rows = rows_of[s], columns = columns_of[s], count = counts[c];
      float *w = floats(rows * columns), *x = floats(columns * count), *y = floats(rows * count);
      continuo_dense_f32(w, rows, columns, x, count, y, rows);
      keep(into, y, rows * count);
      free(w), free(x), free(y);
    }
}

static void tiles_bf16(results *into) {
  for (int s = 0; s < sizes; s++)
    for (int c = 0; c < sizes; c++) {
      size_t rows = rows_of[s], columns = columns_of[s] + s, count = counts[c];
      size_t tile_bytes = (columns + 1) / 2 * 64, number = (rows + 15) / 16;
      uint16_t *w = calloc(number, tile_bytes);
      for (size_t i = 0; i < number * tile_bytes / 2; i++) w[i] = brain(uniform());
      float *x = floats(columns * count), *y = floats(rows * count);
      continuo_tiles_bf16((uint8_t *)w, tile_bytes, rows, columns, x, count, y, rows);
      keep(into, y, rows * count);
      free(w), free(x), free(y);
    }
}

static continuo_activations activations(const float *x, size_t columns, size_t count, size_t group) {
  size_t groups = (columns + group - 1) / group;
  continuo_activations a = {
      aligned_alloc(64, (count * groups * group + 127) / 64 * 64), malloc(count * groups * 4 + 64),
      malloc(count * groups * 4 + 64), malloc(count * groups * 4 + 64), groups, group};
  for (size_t c = 0; c < count; c++) continuo_quantise_activations(x + c * columns, columns, c, &a);
  return a;
}
static void release(continuo_activations *a) { free(a->q), free(a->scale), free(a->sum), free(a->total); }

static void quantise_activations(results *into) {
  for (int s = 0; s < sizes; s++) {
    float *x = floats(columns_of[s]);
    continuo_activations a = activations(x, columns_of[s], 1, 32);
    float *q = malloc(a.groups * a.group * 4);
    for (size_t i = 0; i < a.groups * a.group; i++) q[i] = a.q[i];
    keep(into, q, a.groups * a.group);
    keep(into, a.scale, a.groups);
    keep(into, a.sum, a.groups);
    free(q), free(x), release(&a);
  }
}

/// Tiles need no meaning to be compared: random bytes, and scales that are finite.
static void tiles(results *into, int four) {
  for (int s = 0; s < sizes; s++)
    for (int c = 0; c < sizes; c++) {
      size_t rows = rows_of[s], columns = columns_of[s], count = counts[c], group = 32;
      size_t groups = columns / group + (four ? 0 : (columns / group) % 2);
      size_t per_group = four ? 64 + 16 * group / 2 : 32 + 16 * group;
      size_t tile_bytes = groups * per_group, number = (rows + 15) / 16;
      uint8_t *bytes = aligned_alloc(64, (number * tile_bytes + 191) / 64 * 64);
      for (size_t i = 0; i < number * tile_bytes; i++) bytes[i] = (uint8_t)(bits() % 255 + 1);
      for (size_t t = 0; t < number; t++) {
        uint8_t *at = bytes + t * tile_bytes;
        size_t step = four ? per_group : 2 * per_group, scales = 32;
        for (size_t offset = 0; offset + step <= tile_bytes; offset += step)
          for (size_t i = 0; i < scales; i++) {
            uint16_t scale = brain(0.01f + 0.01f * uniform());
            memcpy(at + offset + 2 * i, &scale, 2);
          }
      }
      float *x = floats(columns * count), *y = floats(number * 16 * count);
      continuo_activations a = activations(x, columns, count, group);
      if (!four && a.groups % 2) {  // groups come in pairs; the padding is zero
        release(&a);
        float *padded = calloc(groups * group * count, 4);
        for (size_t k = 0; k < count; k++) memcpy(padded + k * groups * group, x + k * columns, columns * 4);
        a = activations(padded, groups * group, count, group);
        free(padded);
      }
      (four ? continuo_tiles_int4 : continuo_tiles_int8)(bytes, tile_bytes, rows, &a, count, y, rows);
      keep(into, y, rows * count);
      free(bytes), free(x), free(y), release(&a);
    }
}
static void tiles_int8(results *into) { tiles(into, 0); }
static void tiles_int4(results *into) { tiles(into, 1); }

static void attend(results *into, continuo_cache_format format) {
  for (int s = 0; s < 3; s++) {
    size_t positions = (size_t[]){1, 37, 150}[s], width = (size_t[]){16, 20, 64}[s];
    size_t dimension = (width + 15) / 16 * 16, room = (positions + 4 + 15) / 16 * 16;
    continuo_head head = {calloc(room * dimension, 4), calloc(room * dimension, 4), calloc(room, 4),
                          calloc(room, 4), dimension, format};
    for (size_t p = 0; p < positions + 3; p++) {
      float *key = floats(width), *value = floats(width);
      continuo_cache_store(&head, p, key, value, width);
      free(key), free(value);
    }
    for (size_t count = 1; count <= 4; count++) {
      float *q = floats(count * width), *y = floats(count * width);
      float *scratch = calloc(4 * room + 8 * dimension + 64, 4);
      continuo_attend(&head, q, count, positions, 1, width, width, 1 / sqrtf((float)width), scratch, y);
      keep(into, y, count * width);
      free(q), free(y), free(scratch);
    }
    free(head.keys), free(head.values), free(head.key_scale), free(head.value_scale);
  }
}
static void attend_f32(results *into) { attend(into, CONTINUO_CACHE_F32); }
static void attend_f16(results *into) { attend(into, CONTINUO_CACHE_F16); }
static void attend_int8(results *into) { attend(into, CONTINUO_CACHE_INT8); }

static void rows(results *into) {
  for (int s = 0; s < 6; s++) {
    size_t n = (size_t[]){1, 15, 16, 17, 200, 1024}[s];
    float *weight = floats(n), *bias = floats(n), *y = floats(n), *x = floats(n);
    void (*const squash[])(float *, size_t) = {continuo_softmax, continuo_gelu, continuo_elu,
                                               continuo_sigmoid, continuo_tanh};
    for (int f = 0; f < 5; f++) {
      for (size_t i = 0; i < n; i++) y[i] = 6 * x[i];
      squash[f](y, n);
      keep(into, y, n);
    }
    continuo_elu_copy(x, n, y), keep(into, y, n);
    continuo_layer_norm(x, weight, bias, n, 1e-5f, y), keep(into, y, n);
    continuo_rms_norm(x, weight, n, 1e-5f, y), keep(into, y, n);
    free(weight), free(bias), free(y), free(x);
  }
}

static void windows(results *into) {
  for (int s = 0; s < 4; s++) {
    size_t k = (size_t[]){7, 32, 96, 130}[s], outputs = (size_t[]){1, 5, 32, 70}[s], many = 9, apart = k / 2 + 1;
    size_t panels = (outputs + 31) / 32;
    float *w = outputs == 1 ? floats(k) : calloc(panels * k * 32, 4), *bias = calloc(panels * 32, 4);
    int16_t *words = calloc(panels * k * 32, 2);
    float *scales = calloc(panels * 32, 4);
    for (size_t n = 0; n < outputs; n++) {
      bias[n] = uniform(), scales[n] = 1e-4f;
      for (size_t i = 0; i < k && outputs > 1; i++) {
        w[(n / 32 * k + i) * 32 + n % 32] = uniform();
        words[(n / 32 * k + i) * 32 + n % 32] = (int16_t)(bits() % 20000 - 10000);
      }
    }
    float *x = floats(many * apart + k), *skip = floats(many * outputs), *y = floats(many * outputs);
    for (int form = 0; form < (outputs > 1 ? 3 : 2); form++) {
      continuo_windows plain = {w, NULL, NULL, bias, k, outputs}, half = {w, words, scales, bias, k, outputs};
      continuo_windows_product(form == 2 ? &half : &plain, 0, panels, x, apart, many, form ? skip : NULL, form, y);
      keep(into, y, many * outputs);
    }
    free(w), free(bias), free(words), free(scales), free(x), free(skip), free(y);
  }
}

static void lstm_cell(results *into) {
  for (int s = 0; s < 3; s++) {
    size_t n = (size_t[]){3, 16, 100}[s];
    float *gates = floats(4 * n), *hidden = floats(n), *cell = floats(n);
    continuo_lstm_cell(gates, n, hidden, cell);
    keep(into, hidden, n), keep(into, cell, n);
    free(gates), free(hidden), free(cell);
  }
}

static const struct {
  const char *name;
  void (*run)(results *);
  double tolerance;
} cases[] = {
    {"dense_f32", dense_f32, 1e-5},   {"tiles_bf16", tiles_bf16, 1e-5},
    {"tiles_int8", tiles_int8, 1e-5}, {"tiles_int4", tiles_int4, 1e-5},
    {"attend_f32", attend_f32, 1e-5}, {"attend_f16", attend_f16, 1e-5},
    {"attend_int8", attend_int8, 1e-5}, {"quantise_activations", quantise_activations, 1e-6},
    {"rows", rows, 1e-5},             {"windows", windows, 1e-5},
    {"lstm_cell", lstm_cell, 1e-5},
};

int main(void) {
  static const char *const names[] = {"portable", "avx2", "avx-vnni", "avx512", "neon", "neon-dot"};
  int passed = 0, failed = 0;
  for (int set = 1; set < 6; set++) {
    if (!continuo_instructions_available((continuo_instructions)set)) continue;
    for (size_t each = 0; each < sizeof cases / sizeof *cases; each++) {
      results want = {0}, got = {0};
      state = 42 + each;
      continuo_instructions_force(CONTINUO_PORTABLE), cases[each].run(&want);
      state = 42 + each;
      continuo_instructions_force(set), cases[each].run(&got);
      double largest = 0, error = 0;
      for (size_t i = 0; i < want.count; i++) {
        largest = fmax(largest, fabs(want.values[i]));
        double difference = fabs((double)want.values[i] - got.values[i]);
        if (!(difference <= error)) error = isnan(difference) ? INFINITY : difference;
      }
      int ok = want.count == got.count && largest > 0 && error <= cases[each].tolerance * largest;
      printf("%-9s %-21s %7zu values  relative error %.1e  tolerance %.0e  %s\n", names[set],
             cases[each].name, want.count, error / largest, cases[each].tolerance, ok ? "ok" : "FAIL");
      *(ok ? &passed : &failed) += 1;
      free(want.values), free(got.values);
    }
  }
  printf("%d passed, %d failed\n", passed, failed);
  return failed > 0 || passed == 0;
}
