/*
 * A descriptor watched by the calling thread's event loop: uv_poll, for the driver that shares its thread with
 * libuv's own sockets.
 *
 * A watch has two owners, the JavaScript object and libuv's handle, and is freed when both have let go: libuv closes
 * a handle only in its next turn, and JavaScript may call `stop` twice. A thread that ends with watches open closes
 * them first (an asynchronous clean-up hook), or its loop could not end.
 */
#include <poll.h>
#include <stdlib.h>
#include <uv.h>

#include "args.h"
#include "shim.h"

struct watch {
  uv_poll_t handle;
  napi_env env;
  napi_ref callback;
  napi_async_cleanup_hook_handle hook;
  int owners;
  bool stopped;
};

static const napi_type_tag WATCH_TAG = {0x706f706c696e2d77, 0x617463682d303031};

static void let_go(struct watch *w) {
  if (--w->owners == 0) free(w);
}

static void on_closed(uv_handle_t *handle) {
  struct watch *w = handle->data;
  napi_remove_async_cleanup_hook(w->hook);
  let_go(w);
}

static void stop(struct watch *w) {
  if (w->stopped) return;
  w->stopped = true;
  napi_delete_reference(w->env, w->callback);
  uv_close((uv_handle_t *)&w->handle, on_closed);
}

static void on_thread_end(napi_async_cleanup_hook_handle hook, void *data) {
  (void)hook; /* on_closed removes it, now or soon when `stop` was called before */
  stop(data);
}

static void on_collected(napi_env env, void *data, void *hint) {
  (void)env;
  (void)hint;
  let_go(data);
}

/* libuv reports a broken descriptor (POLLERR) once, as a negative status, and polls it no more. */
static void on_ready(uv_poll_t *handle, int status, int events) {
  struct watch *w = handle->data;
  napi_env env = w->env;
  napi_handle_scope scope;
  napi_value callback, receiver, argument, returned;
  if (napi_open_handle_scope(env, &scope) != napi_ok) return;
  int bits = (events & UV_READABLE ? POLLIN : 0) | (events & UV_WRITABLE ? POLLOUT : 0);
  argument = make_int(env, status < 0 ? status : bits);
  napi_get_reference_value(env, w->callback, &callback);
  napi_get_global(env, &receiver);
  if (napi_make_callback(env, NULL, receiver, callback, 1, &argument, &returned) == napi_pending_exception) {
    napi_value error;
    napi_get_and_clear_last_exception(env, &error);
    napi_fatal_exception(env, error);
  }
  napi_close_handle_scope(env, scope);
}

static struct watch *this_watch(napi_env env, napi_callback_info info, size_t *count, napi_value *argv) {
  napi_value self;
  bool tagged = false;
  void *data = NULL;
  if (napi_get_cb_info(env, info, count, argv, &self, NULL) != napi_ok) return NULL;
  napi_check_object_type_tag(env, self, &WATCH_TAG, &tagged);
  if (tagged && napi_unwrap(env, self, &data) == napi_ok) return data;
  napi_throw_type_error(env, "ERR_INVALID_THIS", "this: a Watch wanted");
  return NULL;
}

static napi_value watch_update(napi_env env, napi_callback_info info) {
  napi_value argv[1];
  size_t count = 1;
  int32_t events;
  struct watch *w = this_watch(env, info, &count, argv);
  if (!w || !arg_int(env, argv[0], "events", &events)) return NULL;
  if (w->stopped) return make_undefined(env);
  int wanted = (events & POLLIN ? UV_READABLE : 0) | (events & POLLOUT ? UV_WRITABLE : 0);
  int status = wanted ? uv_poll_start(&w->handle, wanted, on_ready) : uv_poll_stop(&w->handle);
  return status < 0 ? throw_errno(env, -status, "uv_poll_start") : make_undefined(env);
}

static napi_value watch_unref(napi_env env, napi_callback_info info) {
  size_t count = 0;
  struct watch *w = this_watch(env, info, &count, NULL);
  if (!w) return NULL;
  if (!w->stopped) uv_unref((uv_handle_t *)&w->handle);
  return make_undefined(env);
}

static napi_value watch_stop(napi_env env, napi_callback_info info) {
  size_t count = 0;
  struct watch *w = this_watch(env, info, &count, NULL);
  if (!w) return NULL;
  stop(w);
  return make_undefined(env);
}

/* The JavaScript object; from here on it is an owner. */
static napi_value wrap(napi_env env, struct watch *w) {
  napi_value object;
  const napi_property_descriptor methods[] = {
      {"update", NULL, watch_update, NULL, NULL, NULL, napi_default_method, NULL},
      {"unref", NULL, watch_unref, NULL, NULL, NULL, napi_default_method, NULL},
      {"stop", NULL, watch_stop, NULL, NULL, NULL, napi_default_method, NULL},
  };
  if (napi_create_object(env, &object) != napi_ok ||
      napi_define_properties(env, object, sizeof methods / sizeof *methods, methods) != napi_ok ||
      napi_type_tag_object(env, object, &WATCH_TAG) != napi_ok)
    return NULL;
  w->owners++;
  if (napi_wrap(env, object, w, on_collected, NULL, NULL) == napi_ok) return object;
  w->owners--;
  return NULL;
}

napi_value watch_open(napi_env env, napi_callback_info info) {
  napi_value argv[2];
  int32_t fd;
  napi_valuetype type;
  uv_loop_t *loop;
  if (!args_get(env, info, 2, argv, NULL) || !arg_int(env, argv[0], "fd", &fd)) return NULL;
  if (napi_typeof(env, argv[1], &type) != napi_ok || type != napi_function) {
    napi_throw_type_error(env, "ERR_INVALID_ARG_TYPE", "callback: a function wanted");
    return NULL;
  }
  struct watch *w = calloc(1, sizeof *w);
  if (!w) return throw_errno(env, UV_ENOMEM * -1, "calloc");
  w->env = env;
  w->handle.data = w;
  napi_get_uv_event_loop(env, &loop);
  int status = uv_poll_init(loop, &w->handle, fd);
  if (status < 0) {
    free(w);
    return throw_errno(env, -status, "uv_poll_init");
  }
  w->owners = 1;
  napi_create_reference(env, argv[1], 1, &w->callback);
  napi_add_async_cleanup_hook(env, on_thread_end, w, &w->hook);
  napi_value object = wrap(env, w);
  if (!object) stop(w);
  return object;
}
