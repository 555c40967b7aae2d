/* What a capture's packet socket (packet(7)), which somebody else opened, has lost. */
#include <errno.h>
#include <linux/if_packet.h>
#include <sys/socket.h>

#include "args.h"
#include "shim.h"

napi_value packet_drops(napi_env env, napi_callback_info info) {
  napi_value argv[1];
  int32_t fd;
  if (!args_get(env, info, 1, argv, NULL) || !arg_int(env, argv[0], "fd", &fd)) return NULL;
  /* The kernel starts both counts anew with each question. */
  struct tpacket_stats stats = {0};
  socklen_t length = sizeof stats;
  if (getsockopt(fd, SOL_PACKET, PACKET_STATISTICS, &stats, &length) < 0)
    return throw_errno(env, errno, "getsockopt(PACKET_STATISTICS)");
  return make_int(env, stats.tp_drops);
}
