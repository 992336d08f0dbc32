// The threads behind ComputePool. See continuo_pool.h.
//
// Hand-over: every thread has a share, a range of neighbouring items (an item is one chunk, or several
// where there are very many), because a thread that reads on where it stopped keeps the processor's
// prefetchers running: with items dealt out one by one, products of small matrices read 15 % slower. A
// share is one word, (generation << 32 | next << 16 | end). Its owner claims items from the front; who
// has none left claims from the back of another's share. Each claim is a compare-and-swap, which
// succeeds only while the generation that was read is still running, so a helper that was away can
// neither disturb a later run nor delay the end of one that it has not joined. The caller claims as
// well and then waits for `done`, the items that are finished. Which thread computes an item is
// chance; where its borders lie is not.
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

// Items of one run at most, so that places fit into 16 bits.
enum { MOST_ITEMS = 60000 };

typedef struct share {
  _Alignas(LINE) _Atomic uint64_t word;
} share;

// What a helper is told at its start.
typedef struct seat {
  continuo_pool *pool;
  int index;
} seat;

struct continuo_pool {
  share shares[MAX_THREADS];  // the caller's first
  _Alignas(LINE) _Atomic uint32_t done;
  // Written by the caller before the shares are published, stable while an item can be claimed.
  _Alignas(LINE) _Atomic(continuo_body) body;
  _Atomic(void *) context;
  _Atomic uint32_t total;    // chunks
  _Atomic uint32_t together;  // chunks of an item
  _Atomic int instructions;  // what the caller forces
  _Alignas(LINE) _Atomic int sleepers;
  _Atomic int stop;
  _Atomic uint64_t helped;
  pthread_mutex_t mutex;
  pthread_cond_t wake;
  uint32_t generation;
  int helpers;
  int wanted;  // threads that were asked for: shares that may hold work
  seat seats[MAX_THREADS];
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

static inline uint32_t next_of(uint64_t word) { return (uint32_t)(word >> 16) & 0xffff; }
static inline uint32_t end_of(uint64_t word) { return (uint32_t)word & 0xffff; }

// Claims and computes items of one share until none is left. Returns how many this thread did.
static uint32_t take_from(continuo_pool *pool, int index, int is_own) {
  uint32_t count = 0;
  _Atomic uint64_t *place = &pool->shares[index].word;
  uint64_t word = atomic_load_explicit(place, memory_order_acquire);
  while (next_of(word) < end_of(word)) {
    continuo_body body = atomic_load_explicit(&pool->body, memory_order_relaxed);
    void *context = atomic_load_explicit(&pool->context, memory_order_relaxed);
    uint32_t total = atomic_load_explicit(&pool->total, memory_order_relaxed);
    uint32_t together = atomic_load_explicit(&pool->together, memory_order_relaxed);
    int instructions = atomic_load_explicit(&pool->instructions, memory_order_relaxed);
    // Half of what is left of the own share, because every locked instruction holds up the loads
    // behind it; one item of another's.
    const uint32_t claims = is_own ? (end_of(word) - next_of(word) + 1) / 2 : 1;
    const uint64_t claimed = is_own ? word + (claims << 16) : word - 1;
    if (!atomic_compare_exchange_weak_explicit(place, &word, claimed, memory_order_acq_rel,
                                               memory_order_acquire))
      continue;
    const uint32_t first = (is_own ? next_of(word) : end_of(word) - 1) * together;
    int before = continuo_instructions_force(instructions);
    for (uint32_t chunk = first; chunk < first + claims * together && chunk < total; chunk++)
      body((intptr_t)chunk, context);
    continuo_instructions_force(before);
    count += claims;
    word = atomic_load_explicit(place, memory_order_acquire);
  }
  // The run, and with it the generation, lasts until this is counted.
  if (count) atomic_fetch_add_explicit(&pool->done, count, memory_order_release);
  return count;
}

// The own share first, then what the others have left.
static uint32_t take(continuo_pool *pool, int self) {
  uint32_t count = take_from(pool, self, 1);
  for (int away = 1; away < pool->wanted; away++)
    count += take_from(pool, (self + away) % pool->wanted, 0);
  return count;
}

static int has_work(continuo_pool *pool) {
  if (atomic_load(&pool->stop)) return 1;
  for (int index = 0; index < pool->wanted; index++) {
    const uint64_t word = atomic_load(&pool->shares[index].word);
    if (next_of(word) < end_of(word)) return 1;
  }
  return 0;
}

// While it spins a helper watches its own share only: one line of memory, written once per run.
static int is_called(continuo_pool *pool, int self) {
  const uint64_t word = atomic_load_explicit(&pool->shares[self].word, memory_order_acquire);
  return next_of(word) < end_of(word) || atomic_load_explicit(&pool->stop, memory_order_relaxed);
}

static void *helper(void *argument) {
  continuo_pool *pool = ((seat *)argument)->pool;
  const int self = ((seat *)argument)->index;
  continuo_flush_denormals();
  while (!atomic_load_explicit(&pool->stop, memory_order_acquire)) {
    if (take(pool, self)) atomic_fetch_add_explicit(&pool->helped, 1, memory_order_relaxed);
    int spins = 0;
    while (spins < SPINS && !is_called(pool, self)) {
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
  for (int index = 0; index < MAX_THREADS; index++) atomic_init(&pool->shares[index].word, 0);
  atomic_init(&pool->done, 0);
  atomic_init(&pool->body, NULL);
  atomic_init(&pool->context, NULL);
  atomic_init(&pool->total, 0);
  atomic_init(&pool->together, 1);
  atomic_init(&pool->instructions, -1);
  atomic_init(&pool->sleepers, 0);
  atomic_init(&pool->stop, 0);
  atomic_init(&pool->helped, 0);
  pthread_mutex_init(&pool->mutex, NULL);
  pthread_cond_init(&pool->wake, NULL);
  pool->generation = 0;
  pool->helpers = 0;
  if (threads > MAX_THREADS) threads = MAX_THREADS;
  pool->wanted = threads < 1 ? 1 : threads;
  for (int index = 1; index < threads; index++) {
    seat *place = &pool->seats[pool->helpers];
    *place = (seat){pool, index};
    if (pthread_create(&pool->thread[pool->helpers], NULL, helper, place)) break;
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
  const uint32_t together = (uint32_t)((chunks + MOST_ITEMS - 1) / MOST_ITEMS);
  const uint32_t items = (uint32_t)((chunks + together - 1) / together);
  const uint64_t threads = (uint64_t)pool->helpers + 1;
  atomic_store_explicit(&pool->body, body, memory_order_relaxed);
  atomic_store_explicit(&pool->context, context, memory_order_relaxed);
  atomic_store_explicit(&pool->total, (uint32_t)chunks, memory_order_relaxed);
  atomic_store_explicit(&pool->together, together, memory_order_relaxed);
  atomic_store_explicit(&pool->instructions, continuo_instructions_forced(), memory_order_relaxed);
  atomic_store_explicit(&pool->done, 0, memory_order_relaxed);
  pool->generation++;
  // Sequentially consistent with the helper's "count myself asleep, then look again".
  for (uint64_t index = 0; index < threads; index++)
    atomic_store(&pool->shares[index].word, (uint64_t)pool->generation << 32 |
                                                index * items / threads << 16 |
                                                (index + 1) * items / threads);
  if (atomic_load(&pool->sleepers) > 0) {
    pthread_mutex_lock(&pool->mutex);
    pthread_cond_broadcast(&pool->wake);
    pthread_mutex_unlock(&pool->mutex);
  }
  take(pool, 0);
  int spins = 0;
  while (atomic_load_explicit(&pool->done, memory_order_acquire) != items) {
    relax();
    if (++spins > POLITE && spins % 16 == 0) sched_yield();
  }
  continuo_restore_denormals(mode);
}
