#include "args.h"

#include <stdio.h>
#include <string.h>
#include <uv.h>

static bool type_error(napi_env env, const char *name, const char *wanted) {
  char text[128];
  snprintf(text, sizeof text, "%s: %s wanted", name, wanted);
  napi_throw_type_error(env, "ERR_INVALID_ARG_TYPE", text);
  return false;
}

bool args_get(napi_env env, napi_callback_info info, size_t want, napi_value *argv, void **data) {
  size_t count = want;
  if (napi_get_cb_info(env, info, &count, argv, NULL, data) != napi_ok) return false;
  if (count >= want) return true;
  napi_throw_type_error(env, "ERR_MISSING_ARGS", "too few arguments");
  return false;
}

bool arg_int(napi_env env, napi_value value, const char *name, int32_t *out) {
  return napi_get_value_int32(env, value, out) == napi_ok || type_error(env, name, "a number");
}

bool arg_bool(napi_env env, napi_value value, const char *name, bool *out) {
  return napi_get_value_bool(env, value, out) == napi_ok || type_error(env, name, "a boolean");
}

bool arg_text(napi_env env, napi_value value, const char *name, char *out, size_t size) {
  size_t length, copied;
  if (napi_get_value_string_utf8(env, value, NULL, 0, &length) != napi_ok) return type_error(env, name, "a string");
  if (napi_get_value_string_utf8(env, value, out, size, &copied) != napi_ok) return false;
  if (length < size && strlen(out) == length) return true;
  char text[128];
  snprintf(text, sizeof text, "%s: at most %zu bytes, none of them NUL", name, size - 1);
  napi_throw_range_error(env, "ERR_OUT_OF_RANGE", text);
  return false;
}

bool arg_array(napi_env env, napi_value value, const char *name, napi_typedarray_type type, void **data,
               size_t *length) {
  napi_typedarray_type found;
  if (napi_get_typedarray_info(env, value, &found, length, data, NULL, NULL) == napi_ok && found == type) return true;
  const char *wanted = type == napi_uint8_array   ? "a Uint8Array"
                       : type == napi_int32_array ? "an Int32Array"
                                                  : "a Uint32Array";
  return type_error(env, name, wanted);
}

static bool member(napi_env env, napi_value object, const char *name, napi_value *out) {
  return napi_get_named_property(env, object, name, out) == napi_ok || type_error(env, name, "an object that has it");
}

bool member_int(napi_env env, napi_value object, const char *name, int32_t *out) {
  napi_value value;
  return member(env, object, name, &value) && arg_int(env, value, name, out);
}

bool member_bool(napi_env env, napi_value object, const char *name, bool *out) {
  napi_value value;
  return member(env, object, name, &value) && arg_bool(env, value, name, out);
}

bool member_text(napi_env env, napi_value object, const char *name, char *out, size_t size) {
  napi_value value;
  return member(env, object, name, &value) && arg_text(env, value, name, out, size);
}

napi_value throw_errno(napi_env env, int err, const char *syscall) {
  char code[64], text[256];
  napi_value error, code_value, text_value, syscall_value;
  uv_err_name_r(-err, code, sizeof code); /* libuv has the names; musl's libc does not */
  snprintf(text, sizeof text, "%s: %s, %s", syscall, code, strerror(err));
  napi_create_string_utf8(env, code, NAPI_AUTO_LENGTH, &code_value);
  napi_create_string_utf8(env, text, NAPI_AUTO_LENGTH, &text_value);
  napi_create_string_utf8(env, syscall, NAPI_AUTO_LENGTH, &syscall_value);
  if (napi_create_error(env, code_value, text_value, &error) != napi_ok) return NULL;
  set_int(env, error, "errno", err);
  napi_set_named_property(env, error, "syscall", syscall_value);
  napi_throw(env, error);
  return NULL;
}

napi_value make_int(napi_env env, int64_t value) {
  napi_value result;
  return napi_create_int64(env, value, &result) == napi_ok ? result : NULL;
}

napi_value make_undefined(napi_env env) {
  napi_value result;
  return napi_get_undefined(env, &result) == napi_ok ? result : NULL;
}

void set_int(napi_env env, napi_value object, const char *name, int64_t value) {
  napi_set_named_property(env, object, name, make_int(env, value));
}
