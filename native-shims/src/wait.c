/* Sleeping until a descriptor is ready, being woken from another thread (eventfd(2)), and closing. */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "args.h"
#include "shim.h"

/* A poll set: a TAP, a socket, a wake-up, and some to spare. */
enum { MAX_POLL = 16, POLL_WORDS = 3 };

napi_value event_open(napi_env env, napi_callback_info info) {
  (void)info;
  int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  return fd < 0 ? throw_errno(env, errno, "eventfd") : make_int(env, fd);
}

static bool only_fd(napi_env env, napi_callback_info info, int32_t *fd) {
  napi_value argv[1];
  return args_get(env, info, 1, argv, NULL) && arg_int(env, argv[0], "fd", fd);
}

napi_value event_signal(napi_env env, napi_callback_info info) {
  int32_t fd;
  if (!only_fd(env, info, &fd)) return NULL;
  const uint64_t one = 1;
  /* EAGAIN: the count is at its limit, so it is signalled already. */
  if (write(fd, &one, sizeof one) < 0 && errno != EAGAIN) return throw_errno(env, errno, "write(eventfd)");
  return make_undefined(env);
}

napi_value event_clear(napi_env env, napi_callback_info info) {
  int32_t fd;
  if (!only_fd(env, info, &fd)) return NULL;
  uint64_t count;
  /* EAGAIN: there was no signal. */
  if (read(fd, &count, sizeof count) < 0 && errno != EAGAIN) return throw_errno(env, errno, "read(eventfd)");
  return make_undefined(env);
}

napi_value poll_set(napi_env env, napi_callback_info info) {
  napi_value argv[2];
  void *data;
  size_t length;
  int32_t timeout;
  if (!args_get(env, info, 2, argv, NULL) || !arg_array(env, argv[0], "set", napi_int32_array, &data, &length) ||
      !arg_int(env, argv[1], "timeout", &timeout))
    return NULL;
  size_t count = length / POLL_WORDS;
  if (count > MAX_POLL) {
    napi_throw_range_error(env, "ERR_OUT_OF_RANGE", "poll: at most 16 rows");
    return NULL;
  }
  int32_t *set = data;
  struct pollfd fds[MAX_POLL];
  for (size_t i = 0; i < count; i++)
    fds[i] = (struct pollfd){.fd = set[i * POLL_WORDS], .events = (short)set[i * POLL_WORDS + 1]};
  int ready = poll(fds, count, timeout);
  if (ready < 0 && errno != EINTR) return throw_errno(env, errno, "poll");
  for (size_t i = 0; i < count; i++) set[i * POLL_WORDS + 2] = ready > 0 ? fds[i].revents : 0;
  return make_int(env, ready > 0 ? ready : 0);
}

napi_value close_fd(napi_env env, napi_callback_info info) {
  int32_t fd;
  if (!only_fd(env, info, &fd)) return NULL;
  /* Never retried: Linux has let go of the number even when close says EINTR, and somebody else may have it by now. */
  if (close(fd) < 0 && errno != EINTR) return throw_errno(env, errno, "close");
  return make_undefined(env);
}
