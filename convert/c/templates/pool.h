#if defined EDGECNN_POOL
// Returns the call behind the one that a worker saw last.
static unsigned long long next_call(unsigned long long seen) {
    struct pool_of_threads *pool = &pool_of_threads;
    for (int spins = 0; spins < IDLE_SPINS; spins++) {
        if (atomic_load_explicit(&pool->call, memory_order_acquire) != seen) return atomic_load(&pool->call);
        pause_spinning();
    }
    pthread_mutex_lock(&pool->lock);
    atomic_fetch_add(&pool->sleeping, 1);
    while (atomic_load(&pool->call) == seen) pthread_cond_wait(&pool->called, &pool->lock);
    atomic_fetch_sub(&pool->sleeping, 1);
    pthread_mutex_unlock(&pool->lock);
    return atomic_load(&pool->call);
}

static unsigned long long begin_call(int workers) {
    struct pool_of_threads *pool = &pool_of_threads;
    const unsigned long long call = ((atomic_load(&pool->call) >> 16) + 1) << 16 | (unsigned)workers;
    atomic_store(&pool->call, call);
    if (atomic_load(&pool->sleeping)) {
        pthread_mutex_lock(&pool->lock);
        pthread_cond_broadcast(&pool->called);
        pthread_mutex_unlock(&pool->lock);
    }
    return call;
}

// A worker's part of a call, whose arrivals have numbers above those of all calls before.
static void take_part(unsigned long long call, int worker) {
    struct pool_of_threads *pool = &pool_of_threads;
    atomic_store_explicit(&pool->arrivals[worker].number, call, memory_order_relaxed);
    pool->share(pool->arenas[worker], worker, (int)(call & 65535));
}

static void *work(void *number) {
    struct pool_of_threads *pool = &pool_of_threads;
    const int worker = (int)(intptr_t)number;
    pool->arenas[worker] = arena_of_thread;
    for (unsigned long long call = 0; !atomic_load(&pool->is_closed);) {
        call = next_call(call);
        if (worker < (int)(call & 65535)) take_part(call, worker);
    }
    return 0;
}

// After a fork the child has none of the threads and starts its own.
static void forget_threads(void) {
    pool_of_threads = (struct pool_of_threads){.lock = PTHREAD_MUTEX_INITIALIZER, .called = PTHREAD_COND_INITIALIZER};
}

// Starts threads up to so many workers, or as many as there can be. Signals go to other threads.
static void start_threads(int workers) {
    struct pool_of_threads *pool = &pool_of_threads;
    static int is_registered;
    sigset_t all, before;
    if (!is_registered) is_registered = !pthread_atfork(0, 0, forget_threads);
    if (!is_registered) return;
    pool->share = kernels_of_cpu().share;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    while (pool->started + 1 < workers &&
           !pthread_create(&pool->threads[pool->started], 0, work, (void *)(intptr_t)(pool->started + 1)))
        pool->started++;
    pthread_sigmask(SIG_SETMASK, &before, 0);
}

static double nanoseconds_now(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

// Whether a call is shared: in the way that was faster. The first calls go both ways in turn, and of many calls a few go the
// other way, more than one since threads that slept are slow once.
static int is_call_shared(int workers) {
    struct pace *const pace = &pool_of_threads.pace;
    if (pace->workers != workers) *pace = (struct pace){.workers = workers};
    const unsigned call = pace->calls++;
    const int is_faster = pace->mean[1] <= pace->mean[0];
    if (call < 4 * TRIAL) return !(call / TRIAL & 1);
    return call % TRIAL_EVERY < TRIAL ? !is_faster : is_faster;
}

// Keeps how long a call took: less is believed soon, and more, which may be another program's doing, bit by bit.
static void keep_pace(int shared, double nanoseconds) {
    double *const mean = &pool_of_threads.pace.mean[shared], change = nanoseconds - *mean;
    if (!*mean) *mean = nanoseconds;
    else *mean += change < 0 ? change / 2 : (change < *mean ? change : *mean) / 8;
}

// Infers with so many workers, or with one if that was faster.
static void infer_apace(int workers, int8_t *arena) {
    const int shared = is_call_shared(workers);
    const double start = nanoseconds_now();
    pool_of_threads.arenas[0] = arena;
    if (shared) take_part(begin_call(workers), 0);
    else infer(arena);
    keep_pace(shared, nanoseconds_now() - start);
}

// Infers with so many threads; with one where another call has the pool, or where that was faster.
static void infer_on(int threads, int8_t *arena) {
    struct pool_of_threads *pool = &pool_of_threads;
    if (threads > MOST_THREADS) threads = MOST_THREADS;
    if (threads < 2 || !@{shared_steps} || atomic_exchange(&pool->busy, 1)) {
        infer(arena);
        return;
    }
    if (pool->started + 1 < threads) start_threads(threads);
    const int workers = pool->started + 1 < threads ? pool->started + 1 : threads;
    if (workers < 2) infer(arena);
    else infer_apace(workers, arena);
    atomic_store(&pool->busy, 0);
}

// As the library is closed, its threads end.
__attribute__((destructor)) static void end_threads(void) {
    struct pool_of_threads *pool = &pool_of_threads;
    while (atomic_exchange(&pool->busy, 1)) sched_yield();
    atomic_store(&pool->is_closed, 1);
    begin_call(0);
    while (pool->started) pthread_join(pool->threads[--pool->started], 0);
}

void @{lower}_run_on(int threads, const int8_t *input, int8_t *output) {
    int8_t *arena = arena_of_thread;
    memcpy(arena + @{input}, input, @{upper}_INPUT_SIZE);
    infer_on(threads, arena);
    memcpy(output, arena + @{output}, @{upper}_CLASSES);
}

int @{lower}_predict_on(int threads, const uint8_t *pixels, int8_t *output) {
    store_pixels(arena_of_thread + @{input}, pixels);
    infer_on(threads, arena_of_thread);
    @{lower}_output(output);
    return best_class(arena_of_thread + @{output});
}
#endif
