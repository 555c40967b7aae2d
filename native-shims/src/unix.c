/*
 * Sockets between processes of one machine, over which descriptors travel: unix(7), SCM_RIGHTS and SO_PEERCRED. A
 * descriptor that was sent is the very same open file for both: what waits in its queue waits for whoever reads first.
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "args.h"
#include "shim.h"

/* Most descriptors in one message: SCM_MAX_FD, include/net/scm.h. */
enum { AT_ONCE = 253 };

static napi_value give_up(napi_env env, int fd, int err, const char *syscall) {
  close(fd);
  return throw_errno(env, err, syscall);
}

static int unix_socket(bool packets) {
  return socket(AF_UNIX, (packets ? SOCK_SEQPACKET : SOCK_STREAM) | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
}

napi_value unix_listen(napi_env env, napi_callback_info info) {
  napi_value argv[3];
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  int32_t backlog;
  bool packets;
  if (!args_get(env, info, 3, argv, NULL) ||
      !arg_text(env, argv[0], "path", address.sun_path, sizeof address.sun_path) ||
      !arg_bool(env, argv[1], "packets", &packets) || !arg_int(env, argv[2], "backlog", &backlog))
    return NULL;
  int fd = unix_socket(packets);
  if (fd < 0) return throw_errno(env, errno, "socket(AF_UNIX)");
  /* The file gets the mode that the socket has (unix_bind, net/unix/af_unix.c): at no moment is it open to others. */
  if (fchmod(fd, 0600) < 0) return give_up(env, fd, errno, "fchmod");
  if (bind(fd, (struct sockaddr *)&address, sizeof address) < 0) return give_up(env, fd, errno, "bind");
  if (listen(fd, backlog) < 0) {
    int err = errno;
    unlink(address.sun_path);
    return give_up(env, fd, err, "listen");
  }
  return make_int(env, fd);
}

napi_value unix_connect(napi_env env, napi_callback_info info) {
  napi_value argv[1];
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  if (!args_get(env, info, 1, argv, NULL) ||
      !arg_text(env, argv[0], "path", address.sun_path, sizeof address.sun_path))
    return NULL;
  int fd = unix_socket(true);
  if (fd < 0) return throw_errno(env, errno, "socket(AF_UNIX)");
  if (connect(fd, (struct sockaddr *)&address, sizeof address) < 0) return give_up(env, fd, errno, "connect");
  return make_int(env, fd);
}

napi_value unix_accept(napi_env env, napi_callback_info info) {
  napi_value argv[1];
  int32_t fd;
  if (!args_get(env, info, 1, argv, NULL) || !arg_int(env, argv[0], "fd", &fd)) return NULL;
  int accepted = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
  return make_int(env, accepted < 0 ? -errno : accepted);
}

napi_value unix_peer(napi_env env, napi_callback_info info) {
  napi_value argv[1], result;
  int32_t fd;
  struct ucred peer;
  socklen_t length = sizeof peer;
  if (!args_get(env, info, 1, argv, NULL) || !arg_int(env, argv[0], "fd", &fd)) return NULL;
  if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) < 0)
    return throw_errno(env, errno, "getsockopt(SO_PEERCRED)");
  napi_create_object(env, &result);
  set_int(env, result, "pid", peer.pid);
  set_int(env, result, "uid", peer.uid);
  return result;
}

napi_value unix_shutdown(napi_env env, napi_callback_info info) {
  napi_value argv[1];
  int32_t fd;
  if (!args_get(env, info, 1, argv, NULL) || !arg_int(env, argv[0], "fd", &fd)) return NULL;
  return make_int(env, shutdown(fd, SHUT_RDWR) < 0 ? -errno : 0);
}

union control {
  struct cmsghdr align;
  char bytes[CMSG_SPACE(AT_ONCE * sizeof(int))];
};

/* The (fd, bytes, descriptors) that both calls take. */
static bool get_message(napi_env env, napi_callback_info info, int32_t *fd, struct iovec *bytes, int32_t **descriptors,
                        size_t *count) {
  napi_value argv[3];
  void *list;
  if (!args_get(env, info, 3, argv, NULL) || !arg_int(env, argv[0], "fd", fd) ||
      !arg_array(env, argv[1], "bytes", napi_uint8_array, &bytes->iov_base, &bytes->iov_len) ||
      !arg_array(env, argv[2], "descriptors", napi_int32_array, &list, count))
    return false;
  *descriptors = list;
  if (*count <= AT_ONCE) return true;
  napi_throw_range_error(env, "ERR_OUT_OF_RANGE", "descriptors: 253 at most");
  return false;
}

napi_value send_descriptors(napi_env env, napi_callback_info info) {
  int32_t fd, *descriptors;
  struct iovec bytes;
  size_t count;
  union control control;
  if (!get_message(env, info, &fd, &bytes, &descriptors, &count)) return NULL;
  struct msghdr message = {.msg_iov = &bytes, .msg_iovlen = 1};
  if (count > 0) {
    memset(&control, 0, sizeof control);
    message.msg_control = control.bytes;
    message.msg_controllen = CMSG_SPACE(count * sizeof(int));
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(count * sizeof(int));
    memcpy(CMSG_DATA(header), descriptors, count * sizeof(int));
  }
  ssize_t sent = sendmsg(fd, &message, MSG_NOSIGNAL);
  return make_int(env, sent < 0 ? -errno : sent);
}

/* Takes descriptors out of a message, as many as there is room for; the others are closed. Returns how many it held. */
static size_t take(struct msghdr *message, int32_t *out, size_t room) {
  size_t taken = 0;
  for (struct cmsghdr *header = CMSG_FIRSTHDR(message); header; header = CMSG_NXTHDR(message, header)) {
    if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
    size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t i = 0; i < count; i++, taken++) {
      int fd;
      memcpy(&fd, CMSG_DATA(header) + i * sizeof fd, sizeof fd);
      if (taken < room) out[taken] = fd;
      else close(fd);
    }
  }
  return taken;
}

napi_value receive_descriptors(napi_env env, napi_callback_info info) {
  int32_t fd, *descriptors;
  struct iovec bytes;
  size_t room;
  union control control;
  if (!get_message(env, info, &fd, &bytes, &descriptors, &room)) return NULL;
  struct msghdr message = {
      .msg_iov = &bytes, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof control};
  ssize_t got = recvmsg(fd, &message, MSG_CMSG_CLOEXEC);
  if (got < 0) return make_int(env, -errno);
  size_t taken = take(&message, descriptors, room);
  for (size_t i = taken; i < room; i++) descriptors[i] = -1;
  /* MSG_CTRUNC: the kernel had no number left for one of them (EMFILE), and has let it go. */
  if (!(message.msg_flags & (MSG_CTRUNC | MSG_TRUNC)) && taken <= room) return make_int(env, got);
  for (size_t i = 0; i < taken && i < room; i++) close(descriptors[i]);
  return make_int(env, message.msg_flags & MSG_CTRUNC ? -EMFILE : -EMSGSIZE);
}
