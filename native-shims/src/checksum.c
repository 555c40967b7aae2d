/*
 * The sum does not depend on byte order (RFC 1071 section 2 B): words are added as this machine reads them, in lanes
 * wide enough that carries are lost nowhere, and the two bytes of the result are swapped at the end.
 */
#include "checksum.h"

#include <string.h>

#if defined(__x86_64__)
#include <immintrin.h>
#define HAVE_AVX2_PATH 1
#else
#define HAVE_AVX2_PATH 0
#endif

/* From this length on, setting the wide registers up is worth it. */
enum { WIDE_FROM = 128 };

/* Adds 32-bit words to 64-bit lanes: 2^32 of them fit. */
static uint64_t add_words(const uint8_t *data, size_t length, uint64_t sum) {
  for (; length >= 8; data += 8, length -= 8) {
    uint64_t word;
    memcpy(&word, data, 8);
    sum += (word & 0xffffffff) + (word >> 32);
  }
  uint64_t rest = 0;
  memcpy(&rest, data, length);
  return sum + (rest & 0xffffffff) + (rest >> 32);
}

#if HAVE_AVX2_PATH
/* The even and the odd 32-bit words of each register go to lanes of their own; two sets of them hide the latency. */
__attribute__((target("avx2"))) static uint64_t add_wide(const uint8_t *data, size_t length) {
  const __m256i low = _mm256_set1_epi64x(0xffffffff);
  __m256i a = _mm256_setzero_si256(), b = a, c = a, d = a;
  for (; length >= 64; data += 64, length -= 64) {
    __m256i x = _mm256_loadu_si256((const __m256i *)data);
    __m256i y = _mm256_loadu_si256((const __m256i *)(data + 32));
    a = _mm256_add_epi64(a, _mm256_and_si256(x, low));
    b = _mm256_add_epi64(b, _mm256_srli_epi64(x, 32));
    c = _mm256_add_epi64(c, _mm256_and_si256(y, low));
    d = _mm256_add_epi64(d, _mm256_srli_epi64(y, 32));
  }
  uint64_t lanes[4];
  _mm256_storeu_si256((__m256i *)lanes, _mm256_add_epi64(_mm256_add_epi64(a, b), _mm256_add_epi64(c, d)));
  return add_words(data, length, lanes[0] + lanes[1] + lanes[2] + lanes[3]);
}
#endif

uint32_t checksum_sum(const uint8_t *data, size_t length) {
  uint64_t sum;
#if HAVE_AVX2_PATH
  if (length >= WIDE_FROM && __builtin_cpu_supports("avx2")) sum = add_wide(data, length);
  else
#endif
    sum = add_words(data, length, 0);
  while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
  sum = (sum >> 8) | ((sum & 0xff) << 8);
#endif
  return (uint32_t)sum;
}
