/* The Internet checksum (RFC 1071) over payload bytes. */
#ifndef POPLIN_CHECKSUM_H
#define POPLIN_CHECKSUM_H

#include <stddef.h>
#include <stdint.h>

/* The ones-complement sum of big-endian 16-bit words in 16 bits; an odd last byte counts as if a zero followed. */
uint32_t checksum_sum(const uint8_t *data, size_t length);

#endif
