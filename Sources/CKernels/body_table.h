// The table of the instruction set whose file includes this.
static const continuo_table table = {
    dense_f32,   tiles_bf16, quantise, tiles_int8, tiles_int4, cache_store,
    attend,      softmax,    gelu,     elu,        sigmoid,    hyperbolic_tangent,
    layer_norm,  rms_norm,   windows,    elu_copy,   lstm_cell,
    fit_int8,    fit_int4,   read_words,
};
