/* Opening a queue of a TAP device: /dev/net/tun and its ioctls, Documentation/networking/tuntap.rst. */
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "args.h"
#include "shim.h"

/* Closes before it throws; the error is that of the call that failed. */
static napi_value give_up(napi_env env, int fd, int err, const char *syscall) {
  close(fd);
  return throw_errno(env, err, syscall);
}

napi_value tap_open(napi_env env, napi_callback_info info) {
  napi_value argv[4];
  struct ifreq request = {0};
  int32_t flags, header, offloads;
  if (!args_get(env, info, 4, argv, NULL) || !arg_text(env, argv[0], "name", request.ifr_name, IFNAMSIZ) ||
      !arg_int(env, argv[1], "flags", &flags) || !arg_int(env, argv[2], "vnetHeaderSize", &header) ||
      !arg_int(env, argv[3], "offloads", &offloads))
    return NULL;

  int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return throw_errno(env, errno, "open(/dev/net/tun)");
  request.ifr_flags = (short)flags;
  if (ioctl(fd, TUNSETIFF, &request) < 0) return give_up(env, fd, errno, "ioctl(TUNSETIFF)");
  /* A TAP without an owner takes a queue of anybody who can open /dev/net/tun, which all may on most systems
   * (tun_not_capable, drivers/net/tun.c). With one it is the owner, or CAP_NET_ADMIN. */
  if (ioctl(fd, TUNSETOWNER, (unsigned long)geteuid()) < 0) return give_up(env, fd, errno, "ioctl(TUNSETOWNER)");
  if ((flags & IFF_VNET_HDR) && ioctl(fd, TUNSETVNETHDRSZ, &header) < 0)
    return give_up(env, fd, errno, "ioctl(TUNSETVNETHDRSZ)");
  if (ioctl(fd, TUNSETOFFLOAD, (unsigned long)(unsigned)offloads) < 0)
    return give_up(env, fd, errno, "ioctl(TUNSETOFFLOAD)");

  napi_value result, name;
  napi_create_object(env, &result);
  napi_create_string_utf8(env, request.ifr_name, NAPI_AUTO_LENGTH, &name);
  set_int(env, result, "fd", fd);
  napi_set_named_property(env, result, "name", name);
  return result;
}

napi_value tap_mac(napi_env env, napi_callback_info info) {
  napi_value argv[1], text;
  int32_t fd;
  struct ifreq request = {0};
  if (!args_get(env, info, 1, argv, NULL) || !arg_int(env, argv[0], "fd", &fd)) return NULL;
  if (ioctl(fd, SIOCGIFHWADDR, &request) < 0) return throw_errno(env, errno, "ioctl(SIOCGIFHWADDR)");
  const uint8_t *mac = (const uint8_t *)request.ifr_hwaddr.sa_data;
  char digits[18];
  snprintf(digits, sizeof digits, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]);
  return napi_create_string_utf8(env, digits, NAPI_AUTO_LENGTH, &text) == napi_ok ? text : NULL;
}

napi_value tap_offload(napi_env env, napi_callback_info info) {
  napi_value argv[2];
  int32_t fd, offloads;
  if (!args_get(env, info, 2, argv, NULL) || !arg_int(env, argv[0], "fd", &fd) ||
      !arg_int(env, argv[1], "offloads", &offloads))
    return NULL;
  if (ioctl(fd, TUNSETOFFLOAD, (unsigned long)(unsigned)offloads) < 0)
    return throw_errno(env, errno, "ioctl(TUNSETOFFLOAD)");
  return make_undefined(env);
}

napi_value tap_persist(napi_env env, napi_callback_info info) {
  napi_value argv[2];
  int32_t fd;
  bool persistent;
  if (!args_get(env, info, 2, argv, NULL) || !arg_int(env, argv[0], "fd", &fd)) return NULL;
  if (napi_get_value_bool(env, argv[1], &persistent) != napi_ok) {
    napi_throw_type_error(env, "ERR_INVALID_ARG_TYPE", "persistent: a boolean wanted");
    return NULL;
  }
  if (ioctl(fd, TUNSETPERSIST, (unsigned long)persistent) < 0) return throw_errno(env, errno, "ioctl(TUNSETPERSIST)");
  return make_undefined(env);
}
