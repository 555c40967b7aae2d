/* The arguments and results of the hot calls, and the two that a TAP knows: read(2) and writev(2). */
#include "batch.h"

#include <errno.h>
#include <unistd.h>

#include "shim.h"

bool out_of_range(napi_env env, const char *text) {
  napi_throw_range_error(env, "ERR_OUT_OF_RANGE", text);
  return false;
}

bool batch_get(napi_env env, napi_callback_info info, size_t want, napi_value *argv, struct batch *b) {
  void *arena, *words, *scratch;
  size_t word_count;
  int32_t mask, start;
  if (!args_get(env, info, want, argv, &scratch) || !arg_int(env, argv[0], "fd", &b->fd) ||
      !arg_array(env, argv[1], "arena", napi_uint8_array, &arena, &b->arena_bytes) ||
      !arg_array(env, argv[2], "words", napi_int32_array, &words, &word_count) ||
      !arg_int(env, argv[3], "mask", &mask) || !arg_int(env, argv[4], "start", &start) ||
      !arg_int(env, argv[5], "count", &b->count))
    return false;
  size_t rows = (size_t)(uint32_t)mask + 1;
  if (mask < 0 || (rows & (rows - 1)) || rows * WORDS > word_count)
    return out_of_range(env, "mask: one less than a power of two, and not more rows than words has");
  if (b->count < 0 || (size_t)b->count > rows) return out_of_range(env, "count: 0 to mask + 1");
  b->scratch = scratch;
  b->arena = arena;
  b->words = words;
  b->mask = (uint32_t)mask;
  b->start = (uint32_t)start;
  return true;
}

napi_value batch_result(napi_env env, int32_t moved, int stop) {
  napi_value number;
  if (moved == 0 && stop == BAD_ROW) {
    out_of_range(env, "descriptor: points outside the arena or the addresses");
    return NULL;
  }
  int answer = moved == 0 && stop != -EAGAIN ? stop : moved;
  return napi_create_int32(env, answer, &number) == napi_ok ? number : NULL;
}

/* The budget: a batch of super-frames that is larger than the cache would be read from memory again to be sent. */
napi_value read_batch(napi_env env, napi_callback_info info) {
  napi_value argv[BATCH_ARGS + 1];
  struct batch b;
  int32_t budget;
  if (!batch_get(env, info, BATCH_ARGS + 1, argv, &b) || !arg_int(env, argv[BATCH_ARGS], "budget", &budget))
    return NULL;
  int32_t i = 0;
  while (i < b.count && budget > 0) {
    int32_t *row = row_at(&b, i);
    if (!body_inside(&b, row)) return batch_result(env, i, BAD_ROW);
    ssize_t n;
    do n = read(b.fd, b.arena + row[OFFSET], (size_t)row[LENGTH]);
    while (n < 0 && errno == EINTR);
    if (n < 0) return batch_result(env, i, -errno);
    row[LENGTH] = (int32_t)n;
    budget -= (int32_t)n;
    i++;
  }
  return batch_result(env, i, 0);
}

napi_value write_batch(napi_env env, napi_callback_info info) {
  napi_value argv[BATCH_ARGS];
  struct batch b;
  if (!batch_get(env, info, BATCH_ARGS, argv, &b)) return NULL;
  struct iovec *parts = scratch_parts(b.scratch);
  int32_t i = 0;
  while (i < b.count) {
    int32_t rows = rows_of(&b, i);
    int n = gather(&b, i, rows, parts, MAX_PARTS);
    if (n <= 0) return batch_result(env, i, BAD_ROW);
    ssize_t written;
    do written = writev(b.fd, parts, n);
    while (written < 0 && errno == EINTR);
    if (written < 0) return batch_result(env, i, -errno);
    i += rows;
  }
  return batch_result(env, i, 0);
}
