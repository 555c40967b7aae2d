/*
 * The Internet checksum by vectors of 64-bit lanes: 256 bits wide where the CPU has AVX2, else the 128 bits that
 * every x86-64 (SSE2) and arm64 (NEON) has. For a CPU without vectors the compiler takes them apart.
 *
 * The sum does not depend on word size or byte order (RFC 1071 section 2): words are added as this machine reads
 * them, and the two bytes of the result swapped if it is little-endian. A 64-bit addition loses its carry, so each
 * lane keeps two sums: `all`, of its words, and `high`, of their upper halves, which cannot overflow. The sum of the
 * lower halves is all − high·2^32 modulo 2^64, and exactly that, since it is below 2^64. So there are three
 * instructions for a vector, and no carry that one would have to wait for.
 */
#include "checksum.h"

#include <string.h>

typedef uint64_t v128 __attribute__((vector_size(16)));
typedef uint64_t v256 __attribute__((vector_size(32)));

/* Adds the vector at `data + at`, and does `also` with it. memcpy is a load that asks for no alignment. */
#define ADD(vector, all, high, at, also)         \
  do {                                           \
    vector words;                                \
    memcpy(&words, data + (at), sizeof(vector)); \
    (all) += words;                              \
    (high) += words >> 32;                       \
    also(words, at);                             \
  } while (0)

#define NOTHING(words, at) (void)to
#define STORE(words, at) memcpy(to + (at), &(words), sizeof(words))

/* Defines a function: the sum of `length` bytes, a multiple of the vector's size, in native 32-bit words. A macro,
 * because a function is compiled for one CPU, and functions for different CPUs hand each other no vectors. */
#define SUM_OF_VECTORS(name, vector, also)                                                        \
  static uint64_t name(const uint8_t *data, uint8_t *to, size_t length) {                         \
    enum { STEP = sizeof(vector) };                                                               \
    vector all = {0}, high = {0}, all2 = {0}, high2 = {0};                                        \
    size_t at = 0;                                                                                \
    for (; length - at >= 4 * STEP; at += 4 * STEP) {                                             \
      ADD(vector, all, high, at, also);                                                           \
      ADD(vector, all2, high2, at + STEP, also);                                                  \
      ADD(vector, all, high, at + 2 * STEP, also);                                                \
      ADD(vector, all2, high2, at + 3 * STEP, also);                                              \
    }                                                                                             \
    for (; at < length; at += STEP) ADD(vector, all, high, at, also);                             \
    all += all2;                                                                                  \
    high += high2;                                                                                \
    all += high - (high << 32);                                                                   \
    uint64_t sum = 0;                                                                             \
    for (int i = 0; i < STEP / 8; i++) sum += all[i];                                             \
    return sum;                                                                                   \
  }

SUM_OF_VECTORS(sum_128, v128, NOTHING)
SUM_OF_VECTORS(copy_128, v128, STORE)
#if defined(__x86_64__)
__attribute__((target("avx2"))) SUM_OF_VECTORS(sum_256, v256, NOTHING)
__attribute__((target("avx2"))) SUM_OF_VECTORS(copy_256, v256, STORE)
#endif

/* `to` is null where nothing is to be copied. */
static uint64_t sum_vectors(const uint8_t *data, uint8_t *to, size_t length) {
#if defined(__x86_64__)
  /* A load and a test: the compiler's own runtime has asked the CPU when the library was loaded. */
  if (__builtin_cpu_supports("avx2")) return to ? copy_256(data, to, length) : sum_256(data, to, length);
#endif
  return to ? copy_128(data, to, length) : sum_128(data, to, length);
}

/* The bytes that fill no vector, fewer than sizeof(v256). */
static uint64_t sum_rest(const uint8_t *data, size_t length) {
  uint64_t sum = 0;
  for (; length >= 4; data += 4, length -= 4) {
    uint32_t word;
    memcpy(&word, data, 4);
    sum += word;
  }
  uint16_t half;
  if (length & 2) {
    memcpy(&half, data, 2);
    sum += half;
    data += 2;
  }
  if (length & 1) {
    half = 0;
    memcpy(&half, data, 1); /* the first of two bytes in memory, whatever this machine's order */
    sum += half;
  }
  return sum;
}

static uint32_t sum_of(const uint8_t *data, uint8_t *to, size_t length) {
  size_t whole = length & ~(sizeof(v256) - 1);
  uint64_t sum = sum_rest(data + whole, length - whole);
  if (to) memcpy(to + whole, data + whole, length - whole);
  if (whole) {
    uint64_t vectors = sum_vectors(data, to, whole);
    sum += (vectors & 0xffffffff) + (vectors >> 32);
  }
  sum = (sum & 0xffffffff) + (sum >> 32); /* below 2^33 */
  sum = (sum & 0xffff) + (sum >> 16);     /* below 2^18 */
  sum = (sum & 0xffff) + (sum >> 16);     /* at most 0x10002 */
  sum = (sum & 0xffff) + (sum >> 16);
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
  return __builtin_bswap16((uint16_t)sum);
#else
  return (uint32_t)sum;
#endif
}

uint32_t checksum_sum(const uint8_t *data, size_t length) {
  return sum_of(data, NULL, length);
}

uint32_t checksum_copy(uint8_t *restrict to, const uint8_t *restrict data, size_t length) {
  return sum_of(data, to, length);
}
