/*
 * Arguments from JavaScript and errors back to it. Every getter returns false with an exception pending; the
 * caller then returns NULL to JavaScript without doing anything else.
 */
#ifndef POPLIN_ARGS_H
#define POPLIN_ARGS_H

#include <node_api.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Most arguments any call takes. */
enum { MAX_ARGS = 9 };

/* Fetches `want` arguments; TypeError when fewer came. `data` (may be NULL) gets what the function was made with. */
bool args_get(napi_env env, napi_callback_info info, size_t want, napi_value *argv, void **data);

/* TypeError unless a number. */
bool arg_int(napi_env env, napi_value value, const char *name, int32_t *out);

/* TypeError unless a boolean. */
bool arg_bool(napi_env env, napi_value value, const char *name, bool *out);

/* TypeError unless a string, RangeError unless shorter than `size` bytes in UTF-8 and free of NUL. */
bool arg_text(napi_env env, napi_value value, const char *name, char *out, size_t size);

/* TypeError unless a typed array of `type`. `length` counts elements. The bytes stay where they are until we return. */
bool arg_array(napi_env env, napi_value value, const char *name, napi_typedarray_type type, void **data,
               size_t *length);

/* Members of an options object, with the errors of the getters above. */
bool member_int(napi_env env, napi_value object, const char *name, int32_t *out);
bool member_bool(napi_env env, napi_value object, const char *name, bool *out);
bool member_text(napi_env env, napi_value object, const char *name, char *out, size_t size);

/* Throws an Error with `code` ("EPERM"), `errno` (positive) and `syscall`. NULL, for `return throw_errno(…)`. */
napi_value throw_errno(napi_env env, int err, const char *syscall);

napi_value make_int(napi_env env, int64_t value);
napi_value make_undefined(napi_env env);
void set_int(napi_env env, napi_value object, const char *name, int64_t value);

#endif
