/*
 * What the hot calls share. Each is handed the arena and a range of descriptor rows, and moves as many packets as one
 * visit to the kernel will move: read(2) and writev(2) per row on a TAP, which has no batched call (batch.c),
 * sendmmsg(2) and recvmmsg(2) in chunks on a socket (message.c).
 *
 * A row may be the first of several that make up one message (descriptor.h): the bytes of all of them then go in one
 * call, and the count that is returned is of rows, never a part of a message.
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

/* Most parts a message can be gathered from: IOV_MAX. */
enum { MAX_PARTS = 1024 };

/* Rows of the message that begins at row i. */
static inline int32_t rows_of(const struct batch *b, int32_t i) {
  return 1 + (int32_t)((uint32_t)row_at(b, i)[SEGMENT] >> FOLLOW_SHIFT);
}

/* Adds a piece to the `n` parts there are: to the last one, where it begins at that one's end. Returns how many there are. */
static inline int add_part(struct iovec *parts, int n, uint8_t *at, size_t length) {
  if (n > 0 && (uint8_t *)parts[n - 1].iov_base + parts[n - 1].iov_len == at) {
    parts[n - 1].iov_len += length;
    return n;
  }
  parts[n] = (struct iovec){at, length};
  return n + 1;
}

/*
 * Names the bytes of `rows` rows from row i on, heads and bodies. Returns how many parts they are in; 0 when they may
 * be more than `room`, or are more rows than the batch has; -1 when one lies outside the arena.
 */
static inline int gather(const struct batch *b, int32_t i, int32_t rows, struct iovec *parts, int room) {
  int n = 0;
  if (i + rows > b->count || rows * 2 > room) return 0;
  for (int32_t end = i + rows; i < end; i++) {
    const int32_t *row = row_at(b, i);
    int32_t head = row[HEAD_LENGTH];
    if (!body_inside(b, row) || (head && !inside(b, row[HEAD_OFFSET], head))) return -1;
    if (head) n = add_part(parts, n, b->arena + row[HEAD_OFFSET], (size_t)head);
    n = add_part(parts, n, b->arena + row[OFFSET], (size_t)row[LENGTH]);
  }
  return n;
}

#endif
