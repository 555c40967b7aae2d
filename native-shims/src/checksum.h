/* The Internet checksum of RFC 1071, for bytes that JavaScript would take ten to twenty times as long to add up. */
#ifndef POPLIN_CHECKSUM_H
#define POPLIN_CHECKSUM_H

#include <stddef.h>
#include <stdint.h>

/*
 * The ones-complement sum of `length` bytes as big-endian 16-bit words, folded to 16 bits: what
 * `fold(sum(bytes, at, length))` of src/wire/checksum.ts returns. When `length` is odd, a zero byte is thought after
 * the last. 0 only for bytes that are all zero. `data` may lie anywhere; `length` is below 2^34.
 */
uint32_t checksum_sum(const uint8_t *data, size_t length);

/* The same of bytes that are copied to `to`, which must not overlap them: half the loads of a sum and a copy. */
uint32_t checksum_copy(uint8_t *restrict to, const uint8_t *restrict data, size_t length);

#endif
