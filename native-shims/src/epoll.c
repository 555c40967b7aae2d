/* Which of many descriptors can be read (epoll(7)): asking costs what is ready, not what there is. */
#include <errno.h>
#include <sys/epoll.h>

#include "args.h"
#include "shim.h"

/* Asked for at a time: more are named by the next call, since the kernel goes round among those that stay ready. */
enum { AT_ONCE = 64 };

napi_value epoll_open(napi_env env, napi_callback_info info) {
  (void)info;
  int fd = epoll_create1(EPOLL_CLOEXEC);
  return fd < 0 ? throw_errno(env, errno, "epoll_create1") : make_int(env, fd);
}

napi_value epoll_add(napi_env env, napi_callback_info info) {
  napi_value argv[3];
  int32_t epoll, fd, key;
  if (!args_get(env, info, 3, argv, NULL) || !arg_int(env, argv[0], "epoll", &epoll) ||
      !arg_int(env, argv[1], "fd", &fd) || !arg_int(env, argv[2], "key", &key))
    return NULL;
  struct epoll_event event = {.events = EPOLLIN, .data.u32 = (uint32_t)key};
  if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0) return throw_errno(env, errno, "epoll_ctl(EPOLL_CTL_ADD)");
  return make_undefined(env);
}

napi_value epoll_ready(napi_env env, napi_callback_info info) {
  napi_value argv[2];
  int32_t epoll;
  void *data;
  size_t room;
  if (!args_get(env, info, 2, argv, NULL) || !arg_int(env, argv[0], "epoll", &epoll) ||
      !arg_array(env, argv[1], "out", napi_int32_array, &data, &room))
    return NULL;
  struct epoll_event events[AT_ONCE];
  if (room == 0) return make_int(env, 0);
  int ready = epoll_wait(epoll, events, room < AT_ONCE ? (int)room : AT_ONCE, 0);
  if (ready < 0) return errno == EINTR ? make_int(env, 0) : throw_errno(env, errno, "epoll_wait");
  int32_t *out = data;
  for (int i = 0; i < ready; i++) out[i] = (int32_t)events[i].data.u32;
  return make_int(env, ready);
}
