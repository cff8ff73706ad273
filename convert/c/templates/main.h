#if defined EDGECNN_ONLY
#elif defined TARGET_X86
#include <cpuid.h>

// Whether the CPU has the instructions, and the system keeps the registers.
static int has_avx2(unsigned *features, unsigned *more, unsigned *kept) {
    unsigned a, b, c, d, high;
    if (!__get_cpuid(1, &a, &b, &c, &d) || !(c >> 27 & 1)) return 0;
    __asm__("xgetbv" : "=a"(*kept), "=d"(high) : "c"(0));
    if ((*kept & 0x06) != 0x06 || !__get_cpuid_count(7, 0, &a, features, more, &d)) return 0;
    return *features >> 5 & c >> 12 & 1;  // and FMA
}

static int has_avx512vnni(unsigned features, unsigned more, unsigned kept) {
    const unsigned wanted = 1u << 16 | 1u << 30 | 1u << 31;  // F, BW, VL
    return (kept & 0xE6) == 0xE6 && (features & wanted) == wanted && more >> 11 & 1;
}

#if defined TARGET_AVXVNNI
static int has_avxvnni(void) {
    unsigned a, b, c, d;
    return __get_cpuid_count(7, 1, &a, &b, &c, &d) && a >> 4 & 1;
}
#endif
#elif defined TARGET_NEON_DOT && defined __linux__
#include <sys/auxv.h>

static int has_dot_product(void) { return getauxval(AT_HWCAP) >> 20 & 1; }
#if defined TARGET_NEON_I8MM
static int has_i8mm(void) { return getauxval(AT_HWCAP2) >> 13 & 1; }
#endif
#elif defined TARGET_NEON_DOT
#if defined __ARM_FEATURE_DOTPROD
static int has_dot_product(void) { return 1; }
#else
static int has_dot_product(void) { return 0; }
#endif
#if defined TARGET_NEON_I8MM && defined __ARM_FEATURE_MATMUL_INT8
static int has_i8mm(void) { return 1; }
#elif defined TARGET_NEON_I8MM
static int has_i8mm(void) { return 0; }
#endif
#elif defined TARGET_RVV && defined __linux__
#include <riscv_vector.h>
#include <sys/auxv.h>

// A system may report vectors of version 0.7 too, which read e8, mf2 as another vtype, of longer vectors.
RVV static int has_vectors(void) {
    return (getauxval(AT_HWCAP) >> ('v' - 'a') & 1) && __riscv_vsetvlmax_e8mf2() < __riscv_vsetvlmax_e8m1();
}
#elif defined TARGET_RVV

static int has_vectors(void) { return 1; }
#endif

struct kernels {
    const char *name;
    void (*infer)(int8_t *arena);
#if defined EDGECNN_POOL
    void (*share)(int8_t *arena, int worker, int workers);
#endif
};

#if defined EDGECNN_POOL
#define KERNELS_(name) (struct kernels){#name, infer_##name, share_##name}
#else
#define KERNELS_(name) (struct kernels){#name, infer_##name}
#endif
#define KERNELS(name) KERNELS_(name)

static struct kernels kernels_of_cpu(void) {
#if defined EDGECNN_ONLY  // for tests: -DEDGECNN_ONLY=avx2
    return KERNELS(EDGECNN_ONLY);
#elif defined TARGET_X86
    unsigned features, more, kept;
    if (!has_avx2(&features, &more, &kept)) return KERNELS(portable);
    if (has_avx512vnni(features, more, kept)) return KERNELS(avx512vnni);
#if defined TARGET_AVXVNNI
    if (has_avxvnni()) return KERNELS(avxvnni);
#endif
    return KERNELS(avx2);
#elif defined TARGET_NEON_DOT
#if defined TARGET_NEON_I8MM
    if (has_i8mm()) return KERNELS(neon_i8mm);
#endif
    return has_dot_product() ? KERNELS(neon_dot) : KERNELS(neon);
#elif defined TARGET_NEON
    return KERNELS(neon);
#elif defined TARGET_RVV
    return has_vectors() ? KERNELS(rvv) : KERNELS(portable);
#elif defined TARGET_HELIUM
    return KERNELS(helium);
#elif defined TARGET_DSP
    return KERNELS(dsp);
#else
    return KERNELS(portable);
#endif
}

#if defined TARGET_X86 || defined TARGET_NEON_DOT || defined TARGET_RVV
// The first call looks what the CPU has, the others go straight to it. Threads that call at once store the same.
static void infer_first(int8_t *arena);
static void (*infer_on_cpu)(int8_t *arena) = infer_first;

static void infer_first(int8_t *arena) {
    void (*const best)(int8_t *) = kernels_of_cpu().infer;
    __atomic_store_n(&infer_on_cpu, best, __ATOMIC_RELAXED);
    best(arena);
}

static inline void infer(int8_t *arena) { __atomic_load_n(&infer_on_cpu, __ATOMIC_RELAXED)(arena); }
#else  // there is nothing to look for, and perhaps no atomic access
static inline void infer(int8_t *arena) { kernels_of_cpu().infer(arena); }
#endif

const char *@{lower}_kernels(void) { return kernels_of_cpu().name; }

void @{lower}_run(const int8_t *input, int8_t *output) {
    int8_t *arena = arena_of_thread;
    memcpy(arena + @{input}, input, @{upper}_INPUT_SIZE);
    infer(arena);
    memcpy(output, arena + @{output}, @{upper}_CLASSES);
}

void @{lower}_output(int8_t *output) { memcpy(output, arena_of_thread + @{output}, @{upper}_CLASSES); }

static inline void store_pixels(int8_t *input, const uint8_t *pixels) {
    for (int i = 0; i < @{upper}_INPUT_SIZE; i++) input[i] = stored_pixel(i, pixels[i]);
}

static inline int best_class(const int8_t *output) {
    int best = 0;
    for (int i = 1; i < @{upper}_CLASSES; i++)
        if (output[i] > output[best]) best = i;
    return best;
}

int @{lower}_classify(const uint8_t *pixels) {
    int8_t *arena = arena_of_thread;
    store_pixels(arena + @{input}, pixels);
    infer(arena);
    return best_class(arena + @{output});
}

int @{lower}_predict(const uint8_t *pixels, int8_t *output) {
    int best = @{lower}_classify(pixels);
    @{lower}_output(output);
    return best;
}
