// A few threads that share the chunks of one call, in C for two reasons that Swift cannot meet:
// a closure that must not escape is lent to other threads without allocating or counting
// references, and the processor's denormal mode is set per thread.
#pragma once
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/// A pool of helper threads. Opaque.
typedef struct continuo_pool continuo_pool;

/// Starts `threads - 1` helpers. Fewer may start when the system refuses; the pool works all the same.
/// With `pin`, helper i is bound to the i-th processor after the first that the caller may use.
/// Returns NULL when memory is lacking.
continuo_pool *_Nullable continuo_pool_create(int threads, int pin);

/// Stops and joins the helpers and frees the pool. No run may be under way.
void continuo_pool_destroy(continuo_pool *_Nonnull pool);

/// Helpers that really run, plus one for the caller.
int continuo_pool_threads(const continuo_pool *_Nonnull pool);

/// Runs given so far in which a helper computed at least one chunk, for tests.
uint64_t continuo_pool_helped(const continuo_pool *_Nonnull pool);

/// Treats denormal numbers as zero on the calling thread from now on; returns the mode before.
uint32_t continuo_flush_denormals(void);

/// Gives the calling thread the mode that `continuo_flush_denormals` returned.
void continuo_restore_denormals(uint32_t mode);

// void continuo_pool_run(pool, chunks, body): declared in ComputePool.swift, because only Swift can
// name the type of a non-escaping closure.

#ifdef __cplusplus
}
#endif
