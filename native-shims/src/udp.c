/*
 * Opening a UDP socket that carries other people's packets. What the kernel grants only in part becomes a warning;
 * what it refuses outright, an error.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "args.h"
#include "shim.h"

#ifndef UDP_NO_CHECK6_TX
#define UDP_NO_CHECK6_TX 101
#define UDP_NO_CHECK6_RX 102
#endif
#ifndef UDP_GRO
#define UDP_GRO 104
#endif

/* linux/in6.h, which does not go together with netinet/in.h */
#ifndef IPV6_AUTOFLOWLABEL
#define IPV6_AUTOFLOWLABEL 70
#endif
enum { FLOWLABEL_MGR = 32, FLOWINFO_SEND = 33, FL_A_GET = 0, FL_F_CREATE = 1, FL_S_ANY = 255 };
struct flowlabel_request {
  struct in6_addr destination;
  uint32_t label;
  uint8_t action, share;
  uint16_t flags, expires, linger;
  uint32_t pad;
};

struct options {
  int32_t family, port, receive_buffer, send_buffer, ttl, multicast_ttl, flow_label;
  bool gro, reuse_port, no_check, accept_no_check, dont_fragment, deaf;
  char address[INET6_ADDRSTRLEN + 1 + IF_NAMESIZE];
};

/* The socket while it is being made: the first call that failed, and what there is to warn of. */
struct opening {
  napi_env env;
  int fd;
  int err;
  const char *syscall;
  napi_value warnings;
  uint32_t warned;
};

static bool optional_bool(napi_env env, napi_value from, const char *name, bool *out) {
  bool there = false;
  *out = false;
  napi_has_named_property(env, from, name, &there);
  return !there || member_bool(env, from, name, out);
}

static bool optional_int(napi_env env, napi_value from, const char *name, int32_t *out) {
  bool there = false;
  *out = 0;
  napi_has_named_property(env, from, name, &there);
  return !there || member_int(env, from, name, out);
}

static bool read_options(napi_env env, napi_value from, struct options *o) {
  return member_int(env, from, "family", &o->family) &&
         member_text(env, from, "address", o->address, sizeof o->address) &&
         member_int(env, from, "port", &o->port) &&
         member_int(env, from, "receiveBuffer", &o->receive_buffer) &&
         member_int(env, from, "sendBuffer", &o->send_buffer) && member_bool(env, from, "gro", &o->gro) &&
         member_bool(env, from, "reusePort", &o->reuse_port) && member_bool(env, from, "noCheck", &o->no_check) &&
         member_bool(env, from, "dontFragment", &o->dont_fragment) && member_int(env, from, "ttl", &o->ttl) &&
         optional_bool(env, from, "deaf", &o->deaf) &&
         optional_bool(env, from, "acceptNoCheck", &o->accept_no_check) &&
         optional_int(env, from, "multicastTtl", &o->multicast_ttl) &&
         optional_int(env, from, "flowLabel", &o->flow_label);
}

static bool check_options(napi_env env, const struct options *o) {
  const char *wrong = o->family != 4 && o->family != 6 ? "family: 4 or 6 wanted"
                      : o->port < 0 || o->port > 65535 ? "port: 0 to 65535 wanted"
                      : o->receive_buffer < 0          ? "receiveBuffer: 0 or more bytes wanted"
                      : o->send_buffer < 0             ? "sendBuffer: 0 or more bytes wanted"
                      : o->ttl < 0 || o->ttl > 255     ? "ttl: 0 to 255 wanted"
                      : o->multicast_ttl < 0 || o->multicast_ttl > 255 ? "multicastTtl: 0 to 255 wanted"
                      : o->flow_label < 0 || o->flow_label > 0xfffff   ? "flowLabel: 0 to 0xfffff wanted"
                                                       : NULL;
  if (wrong) napi_throw_range_error(env, "ERR_OUT_OF_RANGE", wrong);
  return !wrong;
}

/* Sets an int option unless an earlier call has failed already. */
static void set(struct opening *o, int level, int option, int value, const char *syscall) {
  if (o->err || setsockopt(o->fd, level, option, &value, sizeof value) == 0) return;
  o->err = errno;
  o->syscall = syscall;
}

static int get(int fd, int level, int option) {
  int value = 0;
  socklen_t length = sizeof value;
  return getsockopt(fd, level, option, &value, &length) < 0 ? 0 : value;
}

static void warn(struct opening *o, const char *text) {
  napi_value value;
  napi_create_string_utf8(o->env, text, NAPI_AUTO_LENGTH, &value);
  napi_set_element(o->env, o->warnings, o->warned++, value);
}

/* Asks for a buffer beyond the machine's limit, and where that is not ours to do, for as much as the limit allows. */
static void set_buffer(struct opening *o, int bytes, bool receive) {
  if (o->err || bytes == 0) return;
  int force = receive ? SO_RCVBUFFORCE : SO_SNDBUFFORCE;
  int plain = receive ? SO_RCVBUF : SO_SNDBUF;
  if (setsockopt(o->fd, SOL_SOCKET, force, &bytes, sizeof bytes) == 0) return;
  int refused = errno;
  set(o, SOL_SOCKET, plain, bytes, receive ? "setsockopt(SO_RCVBUF)" : "setsockopt(SO_SNDBUF)");
  /* The kernel doubles what it is asked for, for its own bookkeeping (sock_setsockopt), and reports the double. */
  int got = get(o->fd, SOL_SOCKET, plain) / 2;
  if (o->err || got >= bytes) return;
  char text[192];
  snprintf(text, sizeof text, "%s refused (%s): asked for %d bytes, got %d; CAP_NET_ADMIN or net.core.%s lifts it",
           receive ? "SO_RCVBUFFORCE" : "SO_SNDBUFFORCE", refused == EPERM ? "EPERM" : strerror(refused), bytes, got,
           receive ? "rmem_max" : "wmem_max");
  warn(o, text);
}

/*
 * The flow label of what is sent: from the address that is sent to (IPV6_FLOWINFO_SEND), never the kernel's own, which
 * it makes of the flow. The kernel lets a socket send a label without a lease, until somebody in the network namespace
 * leases one for himself alone: from then on it looks for the socket's (fl6_sock_lookup), so we take one, to share.
 */
static void set_flow_label(struct opening *o, uint32_t label) {
  set(o, IPPROTO_IPV6, IPV6_AUTOFLOWLABEL, 0, "setsockopt(IPV6_AUTOFLOWLABEL)");
  if (o->err || !label) return;
  set(o, IPPROTO_IPV6, FLOWINFO_SEND, 1, "setsockopt(IPV6_FLOWINFO_SEND)");
  struct flowlabel_request lease = {
      .destination = IN6ADDR_LOOPBACK_INIT, /* any address there can be: labels are looked up by number */
      .label = htonl(label),
      .action = FL_A_GET,
      .share = FL_S_ANY,
      .flags = FL_F_CREATE,
  };
  if (o->err || setsockopt(o->fd, IPPROTO_IPV6, FLOWLABEL_MGR, &lease, sizeof lease) == 0) return;
  char text[160];
  snprintf(text, sizeof text, "the flow label could not be leased (IPV6_FLOWLABEL_MGR: %s): sends fail once "
           "somebody leases one for himself alone", strerror(errno));
  warn(o, text);
}

/* As the sockets of the kernel's tunnels: what goes to a group is not for ourselves (setup_udp_tunnel_sock). */
static void set_multicast(struct opening *o, const struct options *want) {
  int ttl = want->multicast_ttl ? want->multicast_ttl : want->ttl;
  if (want->family == 4) {
    set(o, IPPROTO_IP, IP_MULTICAST_LOOP, 0, "setsockopt(IP_MULTICAST_LOOP)");
    if (ttl) set(o, IPPROTO_IP, IP_MULTICAST_TTL, ttl, "setsockopt(IP_MULTICAST_TTL)");
    return;
  }
  set(o, IPPROTO_IPV6, IPV6_MULTICAST_LOOP, 0, "setsockopt(IPV6_MULTICAST_LOOP)");
  if (ttl) set(o, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, ttl, "setsockopt(IPV6_MULTICAST_HOPS)");
}

static void set_ip(struct opening *o, const struct options *want) {
  set_multicast(o, want);
  if (want->family == 4) {
    set(o, IPPROTO_IP, IP_RECVTOS, 1, "setsockopt(IP_RECVTOS)");
    set(o, IPPROTO_IP, IP_MTU_DISCOVER, want->dont_fragment ? IP_PMTUDISC_DO : IP_PMTUDISC_DONT,
        "setsockopt(IP_MTU_DISCOVER)");
    if (want->ttl) set(o, IPPROTO_IP, IP_TTL, want->ttl, "setsockopt(IP_TTL)");
    if (want->no_check) set(o, SOL_SOCKET, SO_NO_CHECK, 1, "setsockopt(SO_NO_CHECK)");
    return;
  }
  set(o, IPPROTO_IPV6, IPV6_V6ONLY, 1, "setsockopt(IPV6_V6ONLY)");
  set(o, IPPROTO_IPV6, IPV6_RECVTCLASS, 1, "setsockopt(IPV6_RECVTCLASS)");
  set(o, IPPROTO_IPV6, IPV6_MTU_DISCOVER, want->dont_fragment ? IPV6_PMTUDISC_DO : IPV6_PMTUDISC_DONT,
      "setsockopt(IPV6_MTU_DISCOVER)");
  if (want->ttl) set(o, IPPROTO_IPV6, IPV6_UNICAST_HOPS, want->ttl, "setsockopt(IPV6_UNICAST_HOPS)");
  if (want->no_check) set(o, IPPROTO_UDP, UDP_NO_CHECK6_TX, 1, "setsockopt(UDP_NO_CHECK6_TX)");
  if (want->accept_no_check) set(o, IPPROTO_UDP, UDP_NO_CHECK6_RX, 1, "setsockopt(UDP_NO_CHECK6_RX)");
  set_flow_label(o, (uint32_t)want->flow_label);
}

/* A filter (bpf(2), classic) that keeps nothing of any packet. */
static void set_deaf(struct opening *o) {
  struct sock_filter nothing = BPF_STMT(BPF_RET | BPF_K, 0);
  struct sock_fprog program = {.len = 1, .filter = &nothing};
  if (o->err || setsockopt(o->fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) == 0) return;
  o->err = errno;
  o->syscall = "setsockopt(SO_ATTACH_FILTER)";
}

/* "" is the wildcard; an IPv6 address may carry its zone, "fe80::1%eth0". */
static bool parse_address(const struct options *want, struct sockaddr_storage *address, socklen_t *length) {
  memset(address, 0, sizeof *address);
  if (want->family == 4) {
    struct sockaddr_in *in = (struct sockaddr_in *)address;
    in->sin_family = AF_INET;
    in->sin_port = htons((uint16_t)want->port);
    *length = sizeof *in;
    return !*want->address || inet_pton(AF_INET, want->address, &in->sin_addr) == 1;
  }
  struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)address;
  in6->sin6_family = AF_INET6;
  in6->sin6_port = htons((uint16_t)want->port);
  *length = sizeof *in6;
  if (!*want->address) return true;
  char plain[sizeof want->address];
  memcpy(plain, want->address, sizeof plain);
  char *zone = strchr(plain, '%');
  if (zone) {
    *zone++ = 0;
    in6->sin6_scope_id = if_nametoindex(zone);
    if (!in6->sin6_scope_id) return false;
  }
  return inet_pton(AF_INET6, plain, &in6->sin6_addr) == 1;
}

static void bind_to(struct opening *o, const struct sockaddr_storage *address, socklen_t length) {
  if (o->err || bind(o->fd, (const struct sockaddr *)address, length) == 0) return;
  o->err = errno;
  o->syscall = "bind";
}

static int bound_port(int fd) {
  struct sockaddr_storage address;
  socklen_t length = sizeof address;
  if (getsockname(fd, (struct sockaddr *)&address, &length) < 0) return 0;
  return ntohs(address.ss_family == AF_INET ? ((struct sockaddr_in *)&address)->sin_port
                                            : ((struct sockaddr_in6 *)&address)->sin6_port);
}

static napi_value describe(struct opening *o, bool gro) {
  napi_value result, flag;
  napi_create_object(o->env, &result);
  napi_get_boolean(o->env, gro, &flag);
  set_int(o->env, result, "fd", o->fd);
  set_int(o->env, result, "port", bound_port(o->fd));
  set_int(o->env, result, "receiveBuffer", get(o->fd, SOL_SOCKET, SO_RCVBUF));
  set_int(o->env, result, "sendBuffer", get(o->fd, SOL_SOCKET, SO_SNDBUF));
  napi_set_named_property(o->env, result, "gro", flag);
  napi_set_named_property(o->env, result, "warnings", o->warnings);
  return result;
}

napi_value reuse_port(napi_env env, napi_callback_info info) {
  napi_value argv[1];
  int32_t fd;
  int on = 1;
  if (!args_get(env, info, 1, argv, NULL) || !arg_int(env, argv[0], "fd", &fd)) return NULL;
  if (setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) < 0)
    return throw_errno(env, errno, "setsockopt(SO_REUSEPORT)");
  return make_undefined(env);
}

napi_value udp_open(napi_env env, napi_callback_info info) {
  napi_value argv[1];
  struct options want;
  struct sockaddr_storage address;
  socklen_t length;
  if (!args_get(env, info, 1, argv, NULL) || !read_options(env, argv[0], &want) || !check_options(env, &want))
    return NULL;
  if (!parse_address(&want, &address, &length)) {
    napi_throw_range_error(env, "ERR_OUT_OF_RANGE", "address: no address of this family, or no interface of its zone");
    return NULL;
  }

  struct opening o = {.env = env};
  napi_create_array(env, &o.warnings);
  o.fd = socket(address.ss_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_UDP);
  if (o.fd < 0) return throw_errno(env, errno, "socket");
  if (want.reuse_port) set(&o, SOL_SOCKET, SO_REUSEPORT, 1, "setsockopt(SO_REUSEPORT)");
  set_buffer(&o, want.receive_buffer, true);
  set_buffer(&o, want.send_buffer, false);
  set_ip(&o, &want);
  if (want.deaf) set_deaf(&o);
  int on = 1;
  bool gro = want.gro && setsockopt(o.fd, IPPROTO_UDP, UDP_GRO, &on, sizeof on) == 0;
  if (want.gro && !gro) warn(&o, "UDP_GRO refused: datagrams come one by one (Linux 5.0 and later have it)");
  bind_to(&o, &address, length);
  if (!o.err) return describe(&o, gro);
  close(o.fd);
  return throw_errno(env, o.err, o.syscall);
}
