// The threads behind ComputePool. See continuo_pool.h.
//
// Hand-over: `work` holds (generation << 32 | chunks left). A thread reads it, reads the job, and
// claims a chunk by a compare-and-swap that lowers the count; the swap succeeds only while the
// generation that it read is still running, so a helper that was away can neither disturb a later
// run nor delay the end of one that it has not joined. The caller claims chunks as well and then
// waits for `done`, the chunks that are finished. Which thread computes a chunk is chance; where
// its borders lie is not.
//
// Waiting: helpers spin for a while after each run, because the next kernel of a step follows within
// microseconds, then sleep on a condition variable until the next step.
#define _GNU_SOURCE
#include "continuo_pool.h"

#include "continuo_kernels.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

// A Swift closure of type (Int) -> Void is this function with this context.
typedef __attribute__((swiftcall)) void (*continuo_body)(
    intptr_t chunk, __attribute__((swift_context)) void *context);

enum { LINE = 64, MAX_THREADS = 256 };

// Rounds of waiting before a helper goes to sleep (about 0.2 ms), and before any waiting thread
// offers its processor to another one.
enum { SPINS = 4000, POLITE = 400 };

struct continuo_pool {
  _Alignas(LINE) _Atomic uint64_t work;
  _Alignas(LINE) _Atomic uint32_t done;
  // Written by the caller before `work` is published, stable while a chunk of it can be claimed.
  _Alignas(LINE) _Atomic(continuo_body) body;
  _Atomic(void *) context;
  _Atomic uint32_t total;
  _Atomic int instructions;  // what the caller forces
  _Alignas(LINE) _Atomic int sleepers;
  _Atomic int stop;
  _Atomic uint64_t helped;
  pthread_mutex_t mutex;
  pthread_cond_t wake;
  int helpers;
  pthread_t thread[MAX_THREADS];
};

static inline void relax(void) {
#if defined(__x86_64__)
  _mm_pause();
#elif defined(__aarch64__)
  __asm__ volatile("isb" ::: "memory");
#endif
}

uint32_t continuo_flush_denormals(void) {
#if defined(__x86_64__)
  uint32_t mode = _mm_getcsr();
  _mm_setcsr(mode | 0x8040);
  return mode;
#elif defined(__aarch64__)
  uint64_t mode;
  __asm__ volatile("mrs %0, fpcr" : "=r"(mode));
  __asm__ volatile("msr fpcr, %0" ::"r"(mode | (1ull << 24)));
  return (uint32_t)mode;
#else
  return 0;
#endif
}

void continuo_restore_denormals(uint32_t mode) {
#if defined(__x86_64__)
  _mm_setcsr(mode);
#elif defined(__aarch64__)
  __asm__ volatile("msr fpcr, %0" ::"r"((uint64_t)mode));
#endif
}

// Claims and computes chunks until none is left. Returns how many this thread did.
static uint32_t take(continuo_pool *pool) {
  uint32_t count = 0;
  uint64_t work = atomic_load_explicit(&pool->work, memory_order_acquire);
  while ((uint32_t)work) {
    continuo_body body = atomic_load_explicit(&pool->body, memory_order_relaxed);
    void *context = atomic_load_explicit(&pool->context, memory_order_relaxed);
    uint32_t total = atomic_load_explicit(&pool->total, memory_order_relaxed);
    int instructions = atomic_load_explicit(&pool->instructions, memory_order_relaxed);
    if (!atomic_compare_exchange_weak_explicit(&pool->work, &work, work - 1, memory_order_acq_rel,
                                               memory_order_acquire))
      continue;
    int before = continuo_instructions_force(instructions);
    body((intptr_t)(total - (uint32_t)work), context);
    continuo_instructions_force(before);
    atomic_fetch_add_explicit(&pool->done, 1, memory_order_release);
    count++;
    work = atomic_load_explicit(&pool->work, memory_order_acquire);
  }
  return count;
}

static int has_work(continuo_pool *pool) {
  return (uint32_t)atomic_load(&pool->work) || atomic_load(&pool->stop);
}

static void *helper(void *argument) {
  continuo_pool *pool = argument;
  continuo_flush_denormals();
  while (!atomic_load_explicit(&pool->stop, memory_order_acquire)) {
    if (take(pool)) atomic_fetch_add_explicit(&pool->helped, 1, memory_order_relaxed);
    int spins = 0;
    while (spins < SPINS && !has_work(pool)) {
      relax();
      if (++spins > POLITE && spins % 16 == 0) sched_yield();
    }
    if (spins < SPINS) continue;
    pthread_mutex_lock(&pool->mutex);
    atomic_fetch_add(&pool->sleepers, 1);
    while (!has_work(pool)) pthread_cond_wait(&pool->wake, &pool->mutex);
    atomic_fetch_sub(&pool->sleepers, 1);
    pthread_mutex_unlock(&pool->mutex);
  }
  return NULL;
}

static void pin(pthread_t thread, int index) {
#if defined(__linux__)
  cpu_set_t allowed;
  if (pthread_getaffinity_np(pthread_self(), sizeof allowed, &allowed)) return;
  int wanted = index % CPU_COUNT(&allowed);
  for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
    if (CPU_ISSET(cpu, &allowed) && wanted-- == 0) {
      cpu_set_t one;
      CPU_ZERO(&one);
      CPU_SET(cpu, &one);
      pthread_setaffinity_np(thread, sizeof one, &one);
      return;
    }
#endif
}

continuo_pool *continuo_pool_create(int threads, int pinned) {
  continuo_pool *pool = aligned_alloc(LINE, (sizeof *pool + LINE - 1) / LINE * LINE);
  if (!pool) return NULL;
  atomic_init(&pool->work, 0);
  atomic_init(&pool->done, 0);
  atomic_init(&pool->body, NULL);
  atomic_init(&pool->context, NULL);
  atomic_init(&pool->total, 0);
  atomic_init(&pool->instructions, -1);
  atomic_init(&pool->sleepers, 0);
  atomic_init(&pool->stop, 0);
  atomic_init(&pool->helped, 0);
  pthread_mutex_init(&pool->mutex, NULL);
  pthread_cond_init(&pool->wake, NULL);
  pool->helpers = 0;
  if (threads > MAX_THREADS) threads = MAX_THREADS;
  for (int index = 1; index < threads; index++) {
    if (pthread_create(&pool->thread[pool->helpers], NULL, helper, pool)) break;
    if (pinned) pin(pool->thread[pool->helpers], index);
    pool->helpers++;
  }
  return pool;
}

void continuo_pool_destroy(continuo_pool *pool) {
  pthread_mutex_lock(&pool->mutex);
  atomic_store(&pool->stop, 1);
  pthread_cond_broadcast(&pool->wake);
  pthread_mutex_unlock(&pool->mutex);
  for (int index = 0; index < pool->helpers; index++) pthread_join(pool->thread[index], NULL);
  pthread_cond_destroy(&pool->wake);
  pthread_mutex_destroy(&pool->mutex);
  free(pool);
}

int continuo_pool_threads(const continuo_pool *pool) { return pool->helpers + 1; }

uint64_t continuo_pool_helped(const continuo_pool *pool) {
  return atomic_load_explicit(&((continuo_pool *)pool)->helped, memory_order_relaxed);
}

__attribute__((swiftcall)) void continuo_pool_run(
    continuo_pool *pool, intptr_t chunks, continuo_body body, void *context) {
  uint32_t mode = continuo_flush_denormals();
  if (pool->helpers == 0 || chunks == 1) {
    for (intptr_t chunk = 0; chunk < chunks; chunk++) body(chunk, context);
    continuo_restore_denormals(mode);
    return;
  }
  uint64_t generation = atomic_load_explicit(&pool->work, memory_order_relaxed) >> 32;
  atomic_store_explicit(&pool->body, body, memory_order_relaxed);
  atomic_store_explicit(&pool->context, context, memory_order_relaxed);
  atomic_store_explicit(&pool->total, (uint32_t)chunks, memory_order_relaxed);
  atomic_store_explicit(&pool->instructions, continuo_instructions_forced(), memory_order_relaxed);
  atomic_store_explicit(&pool->done, 0, memory_order_relaxed);
  // Sequentially consistent with the helper's "count myself asleep, then look again".
  atomic_store(&pool->work, (generation + 1) << 32 | (uint32_t)chunks);
  if (atomic_load(&pool->sleepers) > 0) {
    pthread_mutex_lock(&pool->mutex);
    pthread_cond_broadcast(&pool->wake);
    pthread_mutex_unlock(&pool->mutex);
  }
  take(pool);
  int spins = 0;
  while (atomic_load_explicit(&pool->done, memory_order_acquire) != (uint32_t)chunks) {
    relax();
    if (++spins > POLITE && spins % 16 == 0) sched_yield();
  }
  continuo_restore_denormals(mode);
}
