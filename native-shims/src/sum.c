/* Sums of many pieces of the arena in one call: the one arithmetic over payload bytes that C does (checksum.h). */
#include <string.h>

#include "args.h"
#include "checksum.h"
#include "shim.h"

enum { RANGE_WORDS = 2 };

/* Bytes above a multiple of 64. */
napi_value misalignment(napi_env env, napi_callback_info info) {
  napi_value argv[1];
  void *data;
  size_t bytes;
  if (!args_get(env, info, 1, argv, NULL) || !arg_array(env, argv[0], "arena", napi_uint8_array, &data, &bytes))
    return NULL;
  return make_int(env, (int64_t)((uintptr_t)data & 63));
}

/* `ranges`: (offset, length) after (offset, length); the offset becomes the sum. */
napi_value sum_ranges(napi_env env, napi_callback_info info) {
  napi_value argv[3];
  void *data, *words;
  size_t bytes, word_count;
  int32_t count;
  if (!args_get(env, info, 3, argv, NULL) || !arg_array(env, argv[0], "arena", napi_uint8_array, &data, &bytes) ||
      !arg_array(env, argv[1], "ranges", napi_int32_array, &words, &word_count) ||
      !arg_int(env, argv[2], "count", &count))
    return NULL;
  int32_t *ranges = words;
  bool good = count >= 0 && (size_t)count <= word_count / RANGE_WORDS;
  for (int32_t i = 0; good && i < count; i++) {
    int32_t *range = ranges + (size_t)i * RANGE_WORDS;
    good = range[0] >= 0 && range[1] >= 0 && (uint64_t)range[0] + (uint64_t)range[1] <= bytes;
    if (good) range[0] = (int32_t)checksum_sum((const uint8_t *)data + range[0], (size_t)range[1]);
  }
  if (good) return make_undefined(env);
  napi_throw_range_error(env, "ERR_OUT_OF_RANGE", "ranges: `count` of them, each inside the arena");
  return NULL;
}

/* What `copyPieces` in shim.ts is told, in the order of the words of `job`. */
struct job {
  int32_t header, header_length, from, total, size, to;
};

static bool inside(int64_t at, int64_t length, size_t bytes) {
  return at >= 0 && length >= 0 && at + length <= (int64_t)bytes;
}

/* The pieces, when they, what they are made of and their sums are inside and apart; else -1. */
static int64_t pieces_of(const struct job *j, size_t bytes, size_t sums) {
  if (j->size <= 0 || j->total <= 0 || j->header_length < 0) return -1;
  int64_t count = ((int64_t)j->total + j->size - 1) / j->size;
  int64_t made = count * j->header_length + j->total;
  bool good = inside(j->header, j->header_length, bytes) && inside(j->from, j->total, bytes) &&
              inside(j->to, made, bytes) && (size_t)count <= sums;
  bool apart = (j->to + made <= j->from || (int64_t)j->from + j->total <= j->to) &&
               (j->to + made <= j->header || (int64_t)j->header + j->header_length <= j->to);
  return good && apart ? count : -1;
}

napi_value copy_pieces(napi_env env, napi_callback_info info) {
  napi_value argv[3];
  void *data, *words, *sums;
  size_t bytes, word_count, sum_count;
  struct job j;
  if (!args_get(env, info, 3, argv, NULL) || !arg_array(env, argv[0], "arena", napi_uint8_array, &data, &bytes) ||
      !arg_array(env, argv[1], "job", napi_int32_array, &words, &word_count) ||
      !arg_array(env, argv[2], "sums", napi_int32_array, &sums, &sum_count))
    return NULL;
  int64_t count = -1;
  if (word_count * sizeof(int32_t) >= sizeof j) {
    memcpy(&j, words, sizeof j);
    count = pieces_of(&j, bytes, sum_count);
  }
  if (count < 0) {
    napi_throw_range_error(env, "ERR_OUT_OF_RANGE", "job: pieces inside the arena, apart, with a sum for each");
    return NULL;
  }
  const uint8_t *arena = data, *from = arena + j.from;
  uint8_t *to = (uint8_t *)data + j.to;
  size_t left = (size_t)j.total, step = (size_t)j.size;
  for (int64_t i = 0; i < count; i++) {
    size_t length = left < step ? left : step;
    memcpy(to, arena + j.header, (size_t)j.header_length);
    to += j.header_length;
    ((int32_t *)sums)[i] = (int32_t)checksum_copy(to, from, length);
    to += length;
    from += length;
    left -= length;
  }
  return make_undefined(env);
}
