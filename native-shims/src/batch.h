/*
 * What the hot calls share. Each is handed the arena and a range of descriptor rows, and moves as many packets as one
 * visit to the kernel will move: read(2) and writev(2) per row on a TAP, which has no batched call (batch.c),
 * sendmmsg(2) and recvmmsg(2) in chunks on a socket (message.c).
 *
 * All four end in the same way. What stopped them (no more packets, an error, a bad row) is told only when it met the
 * *first* row: 0, −errno, or a RangeError. Otherwise the rows before it are the result, and the next call, which
 * starts at that row, meets it again. So nothing that was moved is ever forgotten.
 */
#ifndef POPLIN_BATCH_H
#define POPLIN_BATCH_H

#include <sys/uio.h>

#include "args.h"
#include "descriptor.h"

/* The arguments that all four calls begin with. */
struct batch {
  struct scratch *scratch;
  uint8_t *arena;
  int32_t *words;
  size_t arena_bytes;
  uint32_t mask, start;
  int32_t fd, count;
};

enum { BATCH_ARGS = 6 };

/* Fetches `want` arguments, BATCH_ARGS of them into `b`; false with an exception pending when one makes no sense. */
bool batch_get(napi_env env, napi_callback_info info, size_t want, napi_value *argv, struct batch *b);

/* Marks, beside −errno, a row that points outside; no errno is that large. */
enum { BAD_ROW = -0x10000 };

/* `moved` packets, then `stop`: 0, −errno or BAD_ROW. */
napi_value batch_result(napi_env env, int32_t moved, int stop);

/* Throws a RangeError; false, for `return out_of_range(…)`. */
bool out_of_range(napi_env env, const char *text);

static inline int32_t *row_at(const struct batch *b, int32_t i) {
  return b->words + (size_t)((b->start + (uint32_t)i) & b->mask) * WORDS;
}

static inline bool inside(const struct batch *b, int32_t offset, int32_t length) {
  return offset >= 0 && length >= 0 && (uint64_t)offset + (uint64_t)length <= b->arena_bytes;
}

static inline bool body_inside(const struct batch *b, const int32_t *row) {
  return inside(b, row[OFFSET], row[LENGTH]);
}

/* Names the bytes of a row. Returns how many parts they are in, 0 when one lies outside the arena. */
static inline int gather(const struct batch *b, const int32_t *row, struct iovec parts[2]) {
  if (!body_inside(b, row)) return 0;
  int n = 0;
  if (row[HEAD_LENGTH]) {
    if (!inside(b, row[HEAD_OFFSET], row[HEAD_LENGTH])) return 0;
    parts[n++] = (struct iovec){b->arena + row[HEAD_OFFSET], (size_t)row[HEAD_LENGTH]};
  }
  parts[n++] = (struct iovec){b->arena + row[OFFSET], (size_t)row[LENGTH]};
  return n;
}

#endif
