/*
 * Sends to this machine's own sockets (AF_UNIX) that never wait: a datagram to somebody by name, and bytes into a socket
 * that is open already.
 */
#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "args.h"
#include "shim.h"

/* A name is a path, or with `@` in front one of the abstract names, which exist in no folder (unix(7)). */
napi_value send_local(napi_env env, napi_callback_info info) {
  napi_value argv[2];
  struct sockaddr_un to = {.sun_family = AF_UNIX};
  char name[sizeof to.sun_path + 1];
  void *bytes;
  size_t length;
  if (!args_get(env, info, 2, argv, NULL) || !arg_text(env, argv[0], "name", name, sizeof name) ||
      !arg_array(env, argv[1], "bytes", napi_uint8_array, &bytes, &length))
    return NULL;
  size_t name_length = strlen(name);
  if (name_length == 0) return make_int(env, -EINVAL);
  memcpy(to.sun_path, name, name_length);
  if (name[0] == '@') to.sun_path[0] = '\0';
  int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return make_int(env, -errno);
  socklen_t size = offsetof(struct sockaddr_un, sun_path) + name_length;
  ssize_t sent = sendto(fd, bytes, length, MSG_NOSIGNAL, (const struct sockaddr *)&to, size);
  int error = errno;
  close(fd);
  return make_int(env, sent < 0 ? -error : sent);
}

/* Whether the descriptor is non-blocking for others, too, is left as it is. */
napi_value send_now(napi_env env, napi_callback_info info) {
  napi_value argv[2];
  int32_t fd;
  void *bytes;
  size_t length;
  if (!args_get(env, info, 2, argv, NULL) || !arg_int(env, argv[0], "fd", &fd) ||
      !arg_array(env, argv[1], "bytes", napi_uint8_array, &bytes, &length))
    return NULL;
  ssize_t sent = send(fd, bytes, length, MSG_DONTWAIT | MSG_NOSIGNAL);
  return make_int(env, sent < 0 ? -errno : sent);
}
