#include "checksum.h"

#include <string.h>

uint32_t checksum_sum(const uint8_t *data, size_t length) {
  uint64_t sum = 0;
  for (; length >= 4; data += 4, length -= 4) {
    uint32_t word;
    memcpy(&word, data, 4);
    sum += word;
  }
  uint32_t rest = 0;
  memcpy(&rest, data, length);
  sum += rest;
  while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
  return (uint32_t)((sum >> 8) | ((sum & 0xff) << 8));
}
