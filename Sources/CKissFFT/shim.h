// KISS FFT (BSD), the single-precision build, for Swift.
#pragma once
#ifndef kiss_fft_scalar
#define kiss_fft_scalar float
#endif
#ifndef KISS_FFT_SHARED
#define KISS_FFT_SHARED
#endif
#include <kissfft/kiss_fftr.h>

// KISS_FFT_FREE is a macro, which Swift does not see.
static inline void continuo_kissfft_free(kiss_fftr_cfg plan) { kiss_fftr_free(plan); }
