// Inner loops whose instructions are chosen at run time (AVX-512 VNNI, AVX-VNNI, AVX2, NEON, portable),
// which Swift cannot say. Nothing else belongs here: everything around them is in Kernels.
//
// All sums run over sixteen lanes in the same order on every instruction set, with fused
// multiply-adds except on the portable one, and the result of one column does not depend on how many
// columns share a call.
#pragma once
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#pragma clang assume_nonnull begin

/// Instruction sets, from the plainest on.
typedef enum continuo_instructions {
  CONTINUO_PORTABLE = 0,
  CONTINUO_AVX2 = 1,
  CONTINUO_AVX_VNNI = 2,
  CONTINUO_AVX512 = 3,
  CONTINUO_NEON = 4,
  CONTINUO_NEON_DOT = 5,
} continuo_instructions;

/// Whether this processor, and this build, have `set`.
int continuo_instructions_available(continuo_instructions set);

/// The set in use on the calling thread: a forced one, else the best one available, or the one named by the environment variable
/// CONTINUO_INSTRUCTIONS (portable, avx2, avx-vnni, avx512, neon, neon-dot) if it is available.
continuo_instructions continuo_instructions_selected(void);

/// Uses `set` (which must be available; −1 for the process's own) on the calling thread, and in the
/// pool runs that it starts, from now on; returns what was forced before. For tests and measurements.
int continuo_instructions_force(int set);
/// What is forced on the calling thread, −1 for nothing.
int continuo_instructions_forced(void);

/// y[c * stride + r] = Σ w[r, i] x[c, i] for r < rows, c < count. w (rows, columns), x (count, columns).
void continuo_dense_f32(const float *w, size_t rows, size_t columns, const float *x, size_t count,
                        float *y, size_t stride);

/// The same with bfloat16 weights in tiles of sixteen rows, in the order of reading: for every two
/// inputs, 16 rows × 2 weights; a last odd input is followed by zeros.
void continuo_tiles_bf16(const uint8_t *tiles, size_t tile_bytes, size_t rows, size_t columns,
                         const float *x, size_t count, float *y, size_t stride);

/// Activations in 8 bits. One column: `columns` floats in groups of `group` (a multiple of 16), padded
/// with zeros to whole groups. Per group: x ≈ scale · q with |q| ≤ 127; total = Σ q; sum = scale · total.
typedef struct continuo_activations {
  int8_t *_Nullable q;       // (count, groups · group)
  float *_Nullable scale;    // (count, groups)
  float *_Nullable sum;      // (count, groups)
  int32_t *_Nullable total;  // (count, groups)
  size_t groups;
  size_t group;
} continuo_activations;

/// Fills row `column` of `into` with the activations x (columns).
void continuo_quantise_activations(const float *x, size_t columns, size_t column,
                                   const continuo_activations *into);

/// Products with quantised weights, tile by tile. A tile holds sixteen rows, in the order of reading:
///   8 bits: for every two groups, 2 × 16 bfloat16 scales; for every four inputs, 16 rows × 4 bytes
///           of w + 128, −127 ≤ w ≤ 127;
///   4 bits: for every group, 16 bfloat16 scales and 16 bfloat16 offsets; for every eight inputs,
///           16 rows × 4 bytes: low halves inputs 0 … 3, high halves 4 … 7, each 0 … 15.
/// Weight = scale · w (8 bits), scale · w + offset (4 bits). Groups of 32 or a multiple of it.
/// y[c * stride + r] for r < rows (rows ≤ 16 · tiles), c < count.
void continuo_tiles_int8(const uint8_t *tiles, size_t tile_bytes, size_t rows,
                         const continuo_activations *x, size_t count, float *y, size_t stride);
void continuo_tiles_int4(const uint8_t *tiles, size_t tile_bytes, size_t rows,
                         const continuo_activations *x, size_t count, float *y, size_t stride);

/// Formats of keys and values.
typedef enum continuo_cache_format {
  CONTINUO_CACHE_F32 = 0,
  CONTINUO_CACHE_F16 = 1,
  CONTINUO_CACHE_INT8 = 2,
} continuo_cache_format;

/// Keys and values of one head of one layer. Positions come in tiles of sixteen.
typedef struct continuo_head {
  void *keys;          // (positions / 16, D, 16) of the format's elements
  void *values;        // (positions, D)
  float *key_scale;    // (positions), 8 bits only
  float *value_scale;  // (positions), 8 bits only
  size_t dimension;    // D, a multiple of 16
  continuo_cache_format format;
} continuo_head;

/// Stores one position's key and value (`width` floats each, padded with zeros to D).
void continuo_cache_store(const continuo_head *head, size_t position, const float *key,
                          const float *value, size_t width);

/// Attention of `count` queries over the head: query c sees the positions below
/// `visible + c * step`. Queries and outputs lie `stride` floats apart, `width` floats each.
/// `scratch` holds 4 · (positions rounded up to 16) + 8 · D floats.
void continuo_attend(const continuo_head *head, const float *queries, size_t count, size_t visible,
                     size_t step, size_t stride, size_t width, float scale, float *scratch,
                     float *output);

/// x ← eˣ⁻ᵐ / Σ, m the largest.
void continuo_softmax(float *x, size_t count);
/// x ← ½ x (1 + erf(x/√2)), absolute error below 5e-7.
void continuo_gelu(float *x, size_t count);
/// x ← x for x > 0, eˣ − 1 else.
void continuo_elu(float *x, size_t count);
/// x ← 1 / (1 + e⁻ˣ).
void continuo_sigmoid(float *x, size_t count);
/// x ← tanh x.
void continuo_tanh(float *x, size_t count);
/// y ← (x − mean) / √(variance + epsilon) · weight + bias; `bias` may be NULL.
void continuo_layer_norm(const float *x, const float *weight, const float *_Nullable bias,
                         size_t width, float epsilon, float *y);
/// y ← x / √(mean(x²) + epsilon) · weight.
void continuo_rms_norm(const float *x, const float *weight, size_t width, float epsilon, float *y);

/// Weights for products with windows over a signal, 32 outputs side by side: panels
/// (⌈outputs / 32⌉, k, 32) and bias (outputs rounded up to 32), zeros behind the last output. A single
/// output has plain weights (k). With `words` (same layout, several outputs only) weight = scale of its
/// output · word, and `panels` is not read.
typedef struct continuo_windows {
  const float *_Nullable panels;
  const int16_t *_Nullable words;
  const float *_Nullable scales;  // (outputs rounded up to 32)
  const float *_Nullable bias;
  size_t k;
  size_t outputs;
} continuo_windows;

/// y[r, n] = f(Σ x[r * apart + i] w[n, i] + bias[n] + skip[r, n]) for r < rows and the outputs n of the
/// panels first ..< last; f is ELU when `activate` is not 0. y and skip are (rows, outputs). Windows may
/// overlap. A row's result does not depend on how many rows share a call.
void continuo_windows_product(const continuo_windows *weights, size_t first, size_t last,
                              const float *x, size_t apart, size_t rows,
                              const float *_Nullable skip, int activate, float *y);

/// y ← x for x > 0, eˣ − 1 else.
void continuo_elu_copy(const float *x, size_t count, float *y);

/// One LSTM step of `width` cells: gates i f g o (4, width), sums not yet squashed.
void continuo_lstm_cell(const float *gates, size_t width, float *hidden, float *cell);

/// Chooses a bfloat16 scale, and codes w + 128 (1 … 255), for a group of `count` weights (a multiple of
/// 16).
void continuo_fit_int8(const float *w, size_t count, uint16_t *scale, uint8_t *codes);
/// Chooses bfloat16 scale and offset, and codes 0 … 15, so that Σ importance · error² is small.
void continuo_fit_int4(const float *w, const float *importance, size_t count, uint16_t *scale,
                       uint16_t *offset, uint8_t *codes);

/// Reads `bytes` (a multiple of 256) in order and returns their sum as 64-bit words: what memory gives.
uint64_t continuo_read(const void *from, size_t bytes);

#pragma clang assume_nonnull end

#ifdef __cplusplus
}
#endif
