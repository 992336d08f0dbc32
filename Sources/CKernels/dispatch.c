// Chooses the instruction set once and forwards every call to it.
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "table.h"

#if defined(__x86_64__)
#include <cpuid.h>
#elif defined(__aarch64__) && defined(__linux__)
#include <sys/auxv.h>
#endif

enum { SETS = 6 };
static const char *const names[SETS] = {"portable", "avx2", "avx-vnni", "avx512", "neon", "neon-dot"};

static const continuo_table *table_of(continuo_instructions set) {
  switch (set) {
    case CONTINUO_PORTABLE: return continuo_table_portable;
    case CONTINUO_AVX2: return continuo_table_avx2;
    case CONTINUO_AVX_VNNI: return continuo_table_avx_vnni;
    case CONTINUO_AVX512: return continuo_table_avx512;
    case CONTINUO_NEON: return continuo_table_neon;
    case CONTINUO_NEON_DOT: return continuo_table_neon_dot;
  }
  return NULL;
}

#if defined(__x86_64__)
static uint64_t enabled_state(void) {
  uint32_t low, high;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return (uint64_t)high << 32 | low;
}

static int processor_has(continuo_instructions set) {
  uint32_t a, b, c, d;
  if (set == CONTINUO_PORTABLE) return 1;
  if (!__get_cpuid(1, &a, &b, &c, &d)) return 0;
  int base = (c >> 12 & 1) && (c >> 27 & 1) && (c >> 28 & 1) && (c >> 29 & 1);  // FMA OSXSAVE AVX F16C
  if (!base || (enabled_state() & 6) != 6) return 0;
  if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || !(b >> 5 & 1)) return 0;  // AVX2
  if (set == CONTINUO_AVX2) return 1;
  if (set == CONTINUO_AVX512) {
    uint32_t wanted = 1u << 16 | 1u << 17 | 1u << 30 | 1u << 31;  // F DQ BW VL
    return (b & wanted) == wanted && (c >> 11 & 1) && (enabled_state() & 0xe6) == 0xe6;  // VNNI
  }
  if (set == CONTINUO_AVX_VNNI) return a >= 1 && __get_cpuid_count(7, 1, &a, &b, &c, &d) && (a >> 4 & 1);
  return 0;
}
#elif defined(__aarch64__)
static int processor_has(continuo_instructions set) {
#if defined(__linux__)
  if (set == CONTINUO_NEON_DOT) return getauxval(AT_HWCAP) >> 20 & 1;
#elif defined(__APPLE__)
  if (set == CONTINUO_NEON_DOT) return 1;
#endif
  return set == CONTINUO_PORTABLE || set == CONTINUO_NEON;
}
#else
static int processor_has(continuo_instructions set) { return set == CONTINUO_PORTABLE; }
#endif

int continuo_instructions_available(continuo_instructions set) {
  return set >= 0 && set < SETS && table_of(set) != NULL && processor_has(set);
}

static _Atomic int selected = -1;
static _Thread_local int forced = -1;

continuo_instructions continuo_instructions_selected(void) {
  if (forced >= 0) return (continuo_instructions)forced;
  int set = atomic_load_explicit(&selected, memory_order_acquire);
  if (set >= 0) return (continuo_instructions)set;
  const char *wish = getenv("CONTINUO_INSTRUCTIONS");
  int best = CONTINUO_PORTABLE;
  for (int each = SETS - 1; each > 0 && best == CONTINUO_PORTABLE; each--)
    if (continuo_instructions_available((continuo_instructions)each)) best = each;
  for (int each = 0; wish && each < SETS; each++)
    if (!strcmp(wish, names[each]) && continuo_instructions_available((continuo_instructions)each))
      best = each;
  atomic_store_explicit(&selected, best, memory_order_release);
  return (continuo_instructions)best;
}

int continuo_instructions_force(int set) {
  int before = forced;
  forced = set;
  return before;
}

int continuo_instructions_forced(void) { return forced; }

static inline const continuo_table *now(void) { return table_of(continuo_instructions_selected()); }

void continuo_dense_f32(const float *w, size_t rows, size_t columns, const float *x, size_t count,
                        float *y, size_t stride) {
  now()->dense_f32(w, rows, columns, x, count, y, stride);
}

void continuo_tiles_bf16(const uint8_t *tiles, size_t tile_bytes, size_t rows, size_t columns,
                         const float *x, size_t count, float *y, size_t stride) {
  now()->tiles_bf16(tiles, tile_bytes, rows, columns, x, count, y, stride);
}

void continuo_quantise_activations(const float *x, size_t columns, size_t column,
                                   const continuo_activations *into) {
  now()->quantise(x, columns, column, into);
}

void continuo_tiles_int8(const uint8_t *tiles, size_t tile_bytes, size_t rows,
                         const continuo_activations *x, size_t count, float *y, size_t stride) {
  now()->tiles_int8(tiles, tile_bytes, rows, x, count, y, stride);
}

void continuo_tiles_int4(const uint8_t *tiles, size_t tile_bytes, size_t rows,
                         const continuo_activations *x, size_t count, float *y, size_t stride) {
  now()->tiles_int4(tiles, tile_bytes, rows, x, count, y, stride);
}

void continuo_cache_store(const continuo_head *head, size_t position, const float *key,
                          const float *value, size_t width) {
  now()->store(head, position, key, value, width);
}

void continuo_attend(const continuo_head *head, const float *queries, size_t count, size_t visible,
                     size_t step, size_t stride, size_t width, float scale, float *scratch,
                     float *output) {
  now()->attend(head, queries, count, visible, step, stride, width, scale, scratch, output);
}

void continuo_softmax(float *x, size_t count) { now()->softmax(x, count); }
void continuo_gelu(float *x, size_t count) { now()->gelu(x, count); }
void continuo_elu(float *x, size_t count) { now()->elu(x, count); }
void continuo_sigmoid(float *x, size_t count) { now()->sigmoid(x, count); }
void continuo_tanh(float *x, size_t count) { now()->hyperbolic_tangent(x, count); }
void continuo_layer_norm(const float *x, const float *weight, const float *bias, size_t width,
                         float epsilon, float *y) {
  now()->layer_norm(x, weight, bias, width, epsilon, y);
}
void continuo_rms_norm(const float *x, const float *weight, size_t width, float epsilon, float *y) {
  now()->rms_norm(x, weight, width, epsilon, y);
}
void continuo_windows_product(const continuo_windows *weights, size_t first, size_t last,
                              const float *x, size_t apart, size_t rows, const float *skip,
                              int activate, float *y) {
  now()->windows(weights, first, last, x, apart, rows, skip, activate, y);
}
void continuo_elu_copy(const float *x, size_t count, float *y) { now()->elu_copy(x, count, y); }
void continuo_lstm_cell(const float *gates, size_t width, float *hidden, float *cell) {
  now()->lstm_cell(gates, width, hidden, cell);
}
void continuo_fit_int8(const float *w, size_t count, uint16_t *scale, uint8_t *codes) {
  now()->fit_int8(w, count, scale, codes);
}
void continuo_fit_int4(const float *w, const float *importance, size_t count, uint16_t *scale,
                       uint16_t *offset, uint8_t *codes) {
  now()->fit_int4(w, importance, count, scale, offset, codes);
}
uint64_t continuo_read(const void *from, size_t bytes) { return now()->read(from, bytes); }
