/*
 * Which interface a socket's packets leave by, and which groups it hears there. ip(7), ipv6(7); the group calls are
 * those of RFC 3678, which do not care about the family.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "args.h"
#include "shim.h"

#ifndef IP_UNICAST_IF
#define IP_UNICAST_IF 50
#endif
#ifndef IPV6_UNICAST_IF
#define IPV6_UNICAST_IF 76
#endif

#ifndef IP_MULTICAST_ALL
#define IP_MULTICAST_ALL 49
#endif
#ifndef IPV6_MULTICAST_ALL
#define IPV6_MULTICAST_ALL 29
#endif

static bool is_ipv6(int fd) {
  int domain = 0;
  socklen_t length = sizeof domain;
  return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &length) == 0 && domain == AF_INET6;
}

/* The (fd, name) that both calls start with. Throws where there is no such interface. */
static bool get_interface(napi_env env, napi_value *argv, int32_t *fd, unsigned *index) {
  char name[IFNAMSIZ];
  if (!arg_int(env, argv[0], "fd", fd) || !arg_text(env, argv[1], "name", name, sizeof name)) return false;
  *index = if_nametoindex(name);
  if (*index == 0) throw_errno(env, errno, "if_nametoindex");
  return *index != 0;
}

/* Sets an option of the socket's family. Returns 0 or the errno. */
static int set(int fd, bool ipv6, int option, const void *value, socklen_t length) {
  return setsockopt(fd, ipv6 ? IPPROTO_IPV6 : IPPROTO_IP, option, value, length) < 0 ? errno : 0;
}

napi_value udp_interface(napi_env env, napi_callback_info info) {
  napi_value argv[2];
  int32_t fd;
  unsigned index;
  if (!args_get(env, info, 2, argv, NULL) || !get_interface(env, argv, &fd, &index)) return NULL;
  bool ipv6 = is_ipv6(fd);
  uint32_t unicast = htonl(index); /* both families want it in network order */
  int number = (int)index;
  struct ip_mreqn request = {.imr_ifindex = number};
  int err = set(fd, ipv6, ipv6 ? IPV6_UNICAST_IF : IP_UNICAST_IF, &unicast, sizeof unicast);
  if (!err && ipv6) err = set(fd, ipv6, IPV6_MULTICAST_IF, &number, sizeof number);
  if (!err && !ipv6) err = set(fd, ipv6, IP_MULTICAST_IF, &request, sizeof request);
  return err ? throw_errno(env, err, "setsockopt(IP_UNICAST_IF, IP_MULTICAST_IF)") : make_undefined(env);
}

napi_value udp_members_only(napi_env env, napi_callback_info info) {
  napi_value argv[1];
  int32_t fd;
  int off = 0;
  if (!args_get(env, info, 1, argv, NULL) || !arg_int(env, argv[0], "fd", &fd)) return NULL;
  bool ipv6 = is_ipv6(fd);
  int err = set(fd, ipv6, ipv6 ? IPV6_MULTICAST_ALL : IP_MULTICAST_ALL, &off, sizeof off);
  return err ? throw_errno(env, err, "setsockopt(IP_MULTICAST_ALL)") : make_undefined(env);
}

napi_value udp_join(napi_env env, napi_callback_info info) {
  napi_value argv[3];
  int32_t fd;
  unsigned index;
  char text[INET6_ADDRSTRLEN];
  if (!args_get(env, info, 3, argv, NULL) || !get_interface(env, argv, &fd, &index) ||
      !arg_text(env, argv[2], "group", text, sizeof text))
    return NULL;
  struct group_req request = {.gr_interface = index};
  struct sockaddr_in *in = (struct sockaddr_in *)&request.gr_group;
  struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&request.gr_group;
  bool ipv6 = is_ipv6(fd);
  request.gr_group.ss_family = ipv6 ? AF_INET6 : AF_INET;
  if (inet_pton(ipv6 ? AF_INET6 : AF_INET, text, ipv6 ? (void *)&in6->sin6_addr : (void *)&in->sin_addr) != 1) {
    napi_throw_range_error(env, "ERR_OUT_OF_RANGE", "group: no address of the socket's family");
    return NULL;
  }
  int err = set(fd, ipv6, MCAST_JOIN_GROUP, &request, sizeof request);
  return err ? throw_errno(env, err, "setsockopt(MCAST_JOIN_GROUP)") : make_undefined(env);
}
