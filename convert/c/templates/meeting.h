#if defined EDGECNN_POOL  // threads that share one call; for libraries alone
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <time.h>

enum {
    MOST_THREADS = @{most},
    MEETING_SPINS = 1000,  // some microseconds, then a worker lets others run
    IDLE_SPINS = 4000,     // then it sleeps until the next call
    TRIAL = 8,             // calls in a row that try one thread, or several
    TRIAL_EVERY = 1024     // calls
};

// How long calls by so many workers take. Where other programs have the CPUs, or a small network must wake threads, one thread
// is faster.
struct pace {
    int workers;
    unsigned calls;
    double mean[2];  // nanoseconds, of a call on one thread and of a shared one
};

// A call has worker 0, which is the caller's thread, and those of the pool. Each has an arena of its own, computes some parts
// of a step, which are rows, and copies what it lacks of others: so what a CPU writes seldom lies in another one's cache.
static struct pool_of_threads {
    void (*share)(int8_t *arena, int worker, int workers);
    int started;  // threads
    pthread_t threads[MOST_THREADS];
    pthread_mutex_t lock;
    pthread_cond_t called;
    atomic_int busy, sleeping, is_closed;
    struct pace pace;
    int8_t *arenas[MOST_THREADS];      // of the workers
    _Alignas(64) atomic_ullong call;   // times 65,536: the number of the call; its workers
    struct arrivals { _Alignas(64) atomic_ullong number; } arrivals[MOST_THREADS];  // of each worker, the last one
} pool_of_threads = {.lock = PTHREAD_MUTEX_INITIALIZER, .called = PTHREAD_COND_INITIALIZER};

INLINE void pause_spinning(void) {
#if defined __x86_64__
    __builtin_ia32_pause();
#elif defined __ARM_NEON
    __asm__ volatile("yield");
#endif
}

// Tells that a worker has come to the next place where others may wait for it. Each worker counts on a line of the cache of its
// own. Numbers only grow, also from call to call: a worker that took no part in some calls is behind.
INLINE void arrive(int worker) {
    atomic_ullong *const number = &pool_of_threads.arrivals[worker].number;
    atomic_store_explicit(number, atomic_load_explicit(number, memory_order_relaxed) + 1, memory_order_release);
}

// Waits until all workers have come as far as this one.
static void wait_for_all(int worker, int workers) {
    const struct arrivals *const arrivals = pool_of_threads.arrivals;
    const unsigned long long own = atomic_load_explicit(&arrivals[worker].number, memory_order_relaxed);
    for (int other = 0, spins = 0; other < workers;) {
        if (atomic_load_explicit(&arrivals[other].number, memory_order_acquire) >= own) other++;
        else if (spins++ < MEETING_SPINS) pause_spinning();
        else sched_yield();
    }
}

INLINE void meet(int worker, int workers) {
    arrive(worker);
    wait_for_all(worker, workers);
}

// The first of a worker's parts; the next worker's first is its end. If there is only one, worker 0 has it.
INLINE int first_part(int parts, int worker, int workers) { return (parts * worker + workers - 1) / workers; }

// A value in the arenas of the workers that computed its pieces; in bytes.
struct pieces {
    int offset, size;  // in an arena, and of all of it
    int piece, count;  // of a piece, of the last one perhaps fewer, and how many there are
};

// What parts `first` to `last` of a step read of it: from first * step - before to last * step + behind, in bytes.
struct reads {
    int parts, step, before, behind;
};

// Copies what a worker reads of a value and lacks.
static __attribute__((unused)) void copy(struct pieces value, struct reads reads, int worker, int workers) {
    const int first = first_part(reads.parts, worker, workers), last = first_part(reads.parts, worker + 1, workers);
    const int begin = first * reads.step - reads.before, end = last * reads.step + reads.behind;
    int8_t *const to = pool_of_threads.arenas[worker] + value.offset;
    for (int other = 0; first < last && other < workers; other++) {
        const int mine = first_part(value.count, other, workers) * value.piece;
        const int next = first_part(value.count, other + 1, workers) * value.piece;
        const int start = clamp(begin, mine, next), stop = clamp(end < value.size ? end : value.size, mine, next);
        if (other != worker && start < stop)
            memcpy(to + start, pool_of_threads.arenas[other] + value.offset + start, (size_t)(stop - start));
    }
}

// Computes a worker's parts of a step, each so many of its units.
#define COMPUTE(step, parts, times)                                                                          \
    do {                                                                                                     \
        const int first = first_part(parts, worker, workers), last = first_part(parts, worker + 1, workers); \
        if (first < last) step(arena, first * (times), last * (times));                                      \
    } while (0)

@{shared}#endif
