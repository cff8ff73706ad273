// What this is compiled for. Where a CPU may have more than the compiler may assume, that is asked when the program runs.
#if defined __x86_64__
#define TARGET_X86
#define AVX2 __attribute__((target("avx2,fma")))
#define AVX512VNNI __attribute__((target("avx512f,avx512bw,avx512vl,avx512vnni,avx2,fma")))
#if defined __clang__ || __GNUC__ >= 11  // older ones do not know the instructions
#define TARGET_AVXVNNI
#define AVXVNNI __attribute__((target("avxvnni,avx2,fma")))
#endif
#define TARGET_DOT
#define UNSIGNED_BIAS(name) name##_unsigned_bias
#else
#define UNSIGNED_BIAS(name) 0
#endif
#if defined __ARM_NEON
#define TARGET_NEON
#define FEW_WEIGHTS(name) name##_few_weights
#define WIDE_WEIGHTS(name) name##_wide_weights
#if defined __aarch64__
#define TARGET_NEON_DOT
#define TARGET_DOT
#define NEON_DOT __attribute__((target("arch=armv8.2-a+dotprod")))
#if __clang_major__ >= 11 || (__GNUC__ >= 10 && !defined __clang__)  // older ones do not know the instructions
#define TARGET_NEON_I8MM
#define NEON_I8MM __attribute__((target("arch=armv8.2-a+dotprod+i8mm")))
#endif
#endif
#else
#define FEW_WEIGHTS(name) 0
#define WIDE_WEIGHTS(name) 0
#endif
#if defined __ARM_FEATURE_MVE && !defined __ARM_BIG_ENDIAN && !defined __ARM_NEON
#define TARGET_HELIUM
#elif defined __ARM_FEATURE_SIMD32 && defined __thumb2__ && !defined __ARM_NEON && !defined __ARM_BIG_ENDIAN
#define TARGET_DSP
#endif
#if defined __riscv_v && __riscv_v_intrinsic >= 12000
#define TARGET_RVV
#define RVV
#elif defined __riscv && __riscv_xlen == 64 && defined __linux__ && __clang_major__ >= 20  // knows the instructions, if told
#define TARGET_RVV
#define RVV __attribute__((target("arch=+v")))
#endif
#if defined TARGET_DOT  // instructions that add four products
#define GROUPED_WEIGHTS(name) name##_grouped_weights
#else
#define GROUPED_WEIGHTS(name) 0
#endif
// Where all weights of a layer are of 4 bits, small CPUs read two in a byte. Vectors read a byte each; so do portable kernels
// beside Helium, for its flash need not hold both.
#if defined TARGET_X86 || defined TARGET_NEON || defined TARGET_RVV || defined TARGET_HELIUM
#define HAS_WHOLE_WEIGHTS
#define WHOLE_WEIGHTS(name) name##_weights
#else
#define WHOLE_WEIGHTS(name) 0
#endif
#if defined TARGET_HELIUM
#define PACKED_WEIGHTS(name) 0
#else
#define HAS_PACKED_WEIGHTS
#define PACKED_WEIGHTS(name) name##_packed_weights
#endif
