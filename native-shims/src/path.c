/*
 * How large a packet may be on its way to somebody: what the kernel's route says, and what comes back from a socket
 * that sends ICMP. ip(7), ipv6(7), raw(7), icmp(7). What an ICMP message means is for the caller.
 */
#include <errno.h>
#include <linux/icmp.h>
#include <linux/icmpv6.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "args.h"
#include "descriptor.h"
#include "shim.h"

static socklen_t length_of(const struct sockaddr_storage *address) {
  return address->ss_family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
}

/*
 * connect(2) of a UDP socket sends nothing: it looks the route up anew, with what ICMP has taught the kernel about that
 * destination (a route exception). Without it IP_MTU would tell of the route as it was.
 */
static int route_mtu(int fd, const struct sockaddr_storage *to) {
  int mtu = 0;
  socklen_t size = sizeof mtu;
  bool v4 = to->ss_family == AF_INET;
  if (connect(fd, (const struct sockaddr *)to, length_of(to)) < 0) return -errno;
  if (getsockopt(fd, v4 ? IPPROTO_IP : IPPROTO_IPV6, v4 ? IP_MTU : IPV6_MTU, &mtu, &size) < 0) return -errno;
  return mtu;
}

napi_value route_mtus(napi_env env, napi_callback_info info) {
  napi_value argv[3];
  int32_t fd;
  uint8_t *addresses;
  int32_t *mtus;
  size_t bytes, count;
  if (!args_get(env, info, 3, argv, NULL) || !arg_int(env, argv[0], "fd", &fd) ||
      !arg_array(env, argv[1], "addresses", napi_uint8_array, (void **)&addresses, &bytes) ||
      !arg_array(env, argv[2], "mtus", napi_int32_array, (void **)&mtus, &count))
    return NULL;
  if (bytes / ADDRESS_BYTES < count) {
    napi_throw_range_error(env, "ERR_OUT_OF_RANGE", "addresses: a row for each of mtus wanted");
    return NULL;
  }
  for (size_t i = 0; i < count; i++) {
    struct sockaddr_storage to = {0};
    memcpy(&to, addresses + i * ADDRESS_BYTES, ADDRESS_BYTES);
    mtus[i] = route_mtu(fd, &to);
  }
  return make_undefined(env);
}

/* Lets nothing in but echo replies; a ping socket (SOCK_DGRAM) gets nothing else anyway. */
static int only_echo_replies(int fd, bool v4) {
  if (v4) {
    struct icmp_filter filter = {.data = ~(1U << ICMP_ECHOREPLY)};
    return setsockopt(fd, SOL_RAW, ICMP_FILTER, &filter, sizeof filter);
  }
  struct icmp6_filter filter;
  memset(&filter, 0xff, sizeof filter);
  filter.data[ICMPV6_ECHO_REPLY >> 5] &= ~(1U << (ICMPV6_ECHO_REPLY & 31));
  return setsockopt(fd, IPPROTO_ICMPV6, ICMPV6_FILTER, &filter, sizeof filter);
}

/*
 * IP_PMTUDISC_PROBE: DF is set, and what the kernel has learnt about the path is not asked. Over IPv6 the kernel would
 * still cut what is larger than it has learnt, but for IPV6_DONTFRAG.
 */
static int probing(int fd, bool v4) {
  int probe = v4 ? IP_PMTUDISC_PROBE : IPV6_PMTUDISC_PROBE, on = 1;
  if (v4) return setsockopt(fd, IPPROTO_IP, IP_MTU_DISCOVER, &probe, sizeof probe);
  if (setsockopt(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, &probe, sizeof probe) < 0) return -1;
  return setsockopt(fd, IPPROTO_IPV6, IPV6_DONTFRAG, &on, sizeof on);
}

/* A raw socket, or where that is not ours to open (CAP_NET_RAW), a ping socket (net.ipv4.ping_group_range). */
napi_value icmp_open(napi_env env, napi_callback_info info) {
  napi_value argv[1], result, is_raw;
  uint8_t *address;
  size_t bytes;
  struct sockaddr_storage local = {0};
  if (!args_get(env, info, 1, argv, NULL) ||
      !arg_array(env, argv[0], "address", napi_uint8_array, (void **)&address, &bytes))
    return NULL;
  memcpy(&local, address, bytes < ADDRESS_BYTES ? bytes : ADDRESS_BYTES);
  bool v4 = local.ss_family == AF_INET, raw = true;
  int protocol = v4 ? (int)IPPROTO_ICMP : (int)IPPROTO_ICMPV6;
  int fd = socket(local.ss_family, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol);
  if (fd < 0 && (errno == EPERM || errno == EACCES)) {
    raw = false;
    fd = socket(local.ss_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol);
  }
  if (fd < 0) return throw_errno(env, errno, "socket");
  const char *failed = raw && only_echo_replies(fd, v4) < 0 ? "setsockopt(ICMP_FILTER)"
                       : probing(fd, v4) < 0                ? "setsockopt(IP_MTU_DISCOVER)"
                                                            : NULL;
  if (!failed && bind(fd, (const struct sockaddr *)&local, length_of(&local)) < 0) failed = "bind";
  if (failed) {
    int err = errno;
    close(fd);
    return throw_errno(env, err, failed);
  }
  napi_create_object(env, &result);
  napi_get_boolean(env, raw, &is_raw);
  set_int(env, result, "fd", fd);
  napi_set_named_property(env, result, "raw", is_raw);
  return result;
}

/* The two ends of sendto(2) and recvfrom(2): a descriptor, the bytes, and an address row. */
struct transfer {
  int32_t fd;
  uint8_t *bytes, *address;
  size_t length;
};

static bool read_transfer(napi_env env, napi_callback_info info, struct transfer *t) {
  napi_value argv[3];
  size_t row;
  if (!args_get(env, info, 3, argv, NULL) || !arg_int(env, argv[0], "fd", &t->fd) ||
      !arg_array(env, argv[1], "bytes", napi_uint8_array, (void **)&t->bytes, &t->length) ||
      !arg_array(env, argv[2], "address", napi_uint8_array, (void **)&t->address, &row))
    return false;
  if (row >= ADDRESS_BYTES) return true;
  napi_throw_range_error(env, "ERR_OUT_OF_RANGE", "address: a whole row wanted");
  return false;
}

napi_value send_to(napi_env env, napi_callback_info info) {
  struct transfer t;
  struct sockaddr_storage to = {0};
  if (!read_transfer(env, info, &t)) return NULL;
  memcpy(&to, t.address, ADDRESS_BYTES);
  ssize_t sent = sendto(t.fd, t.bytes, t.length, MSG_NOSIGNAL, (const struct sockaddr *)&to, length_of(&to));
  return make_int(env, sent < 0 ? -errno : sent);
}

/* Without MSG_ERRQUEUE and without control messages: see "Facts paid for" in ARCHITECTURE.md. */
napi_value receive_from(napi_env env, napi_callback_info info) {
  struct transfer t;
  struct sockaddr_storage from = {0};
  socklen_t size = sizeof from;
  if (!read_transfer(env, info, &t)) return NULL;
  ssize_t got = recvfrom(t.fd, t.bytes, t.length, 0, (struct sockaddr *)&from, &size);
  memcpy(t.address, &from, ADDRESS_BYTES);
  return make_int(env, got < 0 ? -errno : got);
}
