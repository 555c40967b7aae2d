/* A socket that hears what changes in the kernel's tables: netlink(7), rtnetlink(7). What it hears is for the caller. */
#include <errno.h>
#include <linux/filter.h>
#include <linux/netlink.h>
#include <sys/socket.h>
#include <unistd.h>

#include "args.h"
#include "shim.h"

/*
 * NETLINK_NO_ENOBUFS stays off: whoever has missed something must learn that he has (netlink_overrun). A receive buffer
 * that is not granted in full only makes that more likely.
 */
napi_value netlink_open(napi_env env, napi_callback_info info) {
  napi_value argv[2];
  int32_t groups, bytes;
  if (!args_get(env, info, 2, argv, NULL) || !arg_int(env, argv[0], "groups", &groups) ||
      !arg_int(env, argv[1], "receiveBuffer", &bytes))
    return NULL;
  int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
  if (fd < 0) return throw_errno(env, errno, "socket(AF_NETLINK)");
  if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof bytes) < 0)
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
  struct sockaddr_nl local = {.nl_family = AF_NETLINK, .nl_groups = (uint32_t)groups};
  if (bind(fd, (const struct sockaddr *)&local, sizeof local) == 0) return make_int(env, fd);
  int err = errno;
  close(fd);
  return throw_errno(env, err, "bind(AF_NETLINK)");
}

napi_value attach_filter(napi_env env, napi_callback_info info) {
  napi_value argv[2];
  int32_t fd;
  void *bytes;
  size_t length;
  if (!args_get(env, info, 2, argv, NULL) || !arg_int(env, argv[0], "fd", &fd) ||
      !arg_array(env, argv[1], "program", napi_uint8_array, &bytes, &length))
    return NULL;
  if (length % sizeof(struct sock_filter) || length / sizeof(struct sock_filter) > BPF_MAXINSNS) {
    napi_throw_range_error(env, "ERR_OUT_OF_RANGE", "program: whole instructions wanted, at most 4096");
    return NULL;
  }
  struct sock_fprog program = {.len = (unsigned short)(length / sizeof(struct sock_filter)), .filter = bytes};
  if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) < 0)
    return throw_errno(env, errno, "setsockopt(SO_ATTACH_FILTER)");
  return make_undefined(env);
}
