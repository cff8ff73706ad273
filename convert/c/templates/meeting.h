#if defined EDGECNN_POOL  // threads that share one call; for libraries alone
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>

enum {
    MOST_THREADS = @{most},
    MEETING_SPINS = 1000,  // some microseconds, then a worker lets others run
    IDLE_SPINS = 4000      // then it sleeps until the next call
};

// A call has worker 0, which is the caller's thread, and those of the pool. All meet behind each step.
static struct pool_of_threads {
    void (*share)(int8_t *arena, int worker, int workers);
    int8_t *arena;                           // of the call
    int started;                             // threads
    pthread_t threads[MOST_THREADS];
    pthread_mutex_t lock;
    pthread_cond_t called;
    atomic_int busy, sleeping, is_closed;
    _Alignas(64) atomic_uint call;           // times 256: the number of the call; its workers
    _Alignas(64) atomic_int arrived;         // at the meeting
    _Alignas(64) atomic_uint meetings;       // that are over
} pool_of_threads = {.lock = PTHREAD_MUTEX_INITIALIZER, .called = PTHREAD_COND_INITIALIZER};

INLINE void pause_spinning(void) {
#if defined __x86_64__
    __builtin_ia32_pause();
#elif defined __ARM_NEON
    __asm__ volatile("yield");
#endif
}

// Where workers wait until all have come.
static void meet(int workers) {
    struct pool_of_threads *pool = &pool_of_threads;
    const unsigned meeting = atomic_load_explicit(&pool->meetings, memory_order_relaxed);
    if (atomic_fetch_add_explicit(&pool->arrived, 1, memory_order_acq_rel) == workers - 1) {
        atomic_store_explicit(&pool->arrived, 0, memory_order_relaxed);
        atomic_store_explicit(&pool->meetings, meeting + 1, memory_order_release);
        return;
    }
    for (int spins = 0; atomic_load_explicit(&pool->meetings, memory_order_acquire) == meeting;) {
        if (spins++ < MEETING_SPINS) pause_spinning();
        else sched_yield();
    }
}

// The first of a worker's rows; the next worker's first is its end.
INLINE int first_row(int rows, int worker, int workers) { return rows * worker / workers; }

// Computes a worker's share of a step's rows.
#define SHARE(step, rows)                                                                                \
    do {                                                                                                 \
        const int first = first_row(rows, worker, workers), last = first_row(rows, worker + 1, workers); \
        if (first < last) step(arena, first, last);                                                      \
        meet(workers);                                                                                   \
    } while (0)

@{shared}#endif
