// All kernels, and the table of them, for the instruction set whose file includes this.
#include "body_attention.h"
#include "body_dense.h"
#include "body_fit.h"
#include "body_rows.h"
#include "body_tiles.h"
#include "body_windows.h"

static const continuo_table table = {
    dense_f32,   tiles_bf16, quantise, tiles_int8, tiles_int4, cache_store,
    attend,      softmax,    gelu,     elu,        sigmoid,    hyperbolic_tangent,
    layer_norm,  rms_norm,   windows,    elu_copy,   lstm_cell,
    fit_int8,    fit_int4,   read_words,
};
