/* Sums of many pieces of the arena in one call: the one arithmetic over payload bytes that C does (checksum.h). */
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
