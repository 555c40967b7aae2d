/* A network device by its name: its index, switching it on, and sending from a socket through it alone. netdevice(7), socket(7). */
#include <errno.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "args.h"
#include "shim.h"

napi_value link_up(napi_env env, napi_callback_info info) {
  napi_value argv[1];
  struct ifreq request = {0};
  if (!args_get(env, info, 1, argv, NULL) || !arg_text(env, argv[0], "name", request.ifr_name, IFNAMSIZ)) return NULL;
  int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return throw_errno(env, errno, "socket");
  int err = ioctl(fd, SIOCGIFFLAGS, &request) < 0 ? errno : 0;
  request.ifr_flags |= IFF_UP;
  if (!err && ioctl(fd, SIOCSIFFLAGS, &request) < 0) err = errno;
  close(fd);
  return err ? throw_errno(env, err, "ioctl(SIOCSIFFLAGS)") : make_undefined(env);
}

napi_value link_index(napi_env env, napi_callback_info info) {
  napi_value argv[1];
  char name[IFNAMSIZ];
  if (!args_get(env, info, 1, argv, NULL) || !arg_text(env, argv[0], "name", name, sizeof name)) return NULL;
  unsigned index = if_nametoindex(name);
  if (!index && errno != ENODEV) return throw_errno(env, errno, "if_nametoindex");
  return make_int(env, index);
}

napi_value bind_device(napi_env env, napi_callback_info info) {
  napi_value argv[2];
  int32_t fd;
  char name[IFNAMSIZ];
  if (!args_get(env, info, 2, argv, NULL) || !arg_int(env, argv[0], "fd", &fd) ||
      !arg_text(env, argv[1], "name", name, sizeof name))
    return NULL;
  if (setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, name, (socklen_t)strlen(name)) < 0)
    return throw_errno(env, errno, "setsockopt(SO_BINDTODEVICE)");
  return make_undefined(env);
}
