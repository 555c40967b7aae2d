/*
 * Poplin's native shim: the system calls that Node has no words for. Loaded once per thread (Node-API calls that an
 * environment), and nothing here is shared between threads.
 */
#include <poll.h>
#include <stdlib.h>

#include "args.h"
#include "descriptor.h"
#include "shim.h"

struct entry {
  const char *name;
  napi_callback call;
};

static const struct entry CALLS[] = {
    {"tapOpen", tap_open},
    {"tapMac", tap_mac},
    {"tapPersist", tap_persist},
    {"tapOffload", tap_offload},
    {"linkUp", link_up},
    {"linkIndex", link_index},
    {"bindDevice", bind_device},
    {"udpOpen", udp_open},
    {"reusePort", reuse_port},
    {"udpInterface", udp_interface},
    {"udpJoin", udp_join},
    {"udpMembersOnly", udp_members_only},
    {"eventOpen", event_open},
    {"eventSignal", event_signal},
    {"eventClear", event_clear},
    {"close", close_fd},
    {"readBatch", read_batch},
    {"writeBatch", write_batch},
    {"sendBatch", send_batch},
    {"recvBatch", recv_batch},
    {"socketDrops", socket_drops},
    {"sumRanges", sum_ranges},
    {"copyPieces", copy_pieces},
    {"misalignment", misalignment},
    {"poll", poll_set},
    {"pollSpinning", poll_spinning},
    {"watch", watch_open},
    {"epollOpen", epoll_open},
    {"epollAdd", epoll_add},
    {"epollReady", epoll_ready},
    {"unixListen", unix_listen},
    {"unixConnect", unix_connect},
    {"unixAccept", unix_accept},
    {"unixPeer", unix_peer},
    {"unixShutdown", unix_shutdown},
    {"sendDescriptors", send_descriptors},
    {"receiveDescriptors", receive_descriptors},
    {"netlinkOpen", netlink_open},
    {"attachFilter", attach_filter},
    {"packetDrops", packet_drops},
    {"routeMtus", route_mtus},
    {"icmpOpen", icmp_open},
    {"sendTo", send_to},
    {"receiveFrom", receive_from},
    {"sendLocal", send_local},
    {"sendNow", send_now},
};

static napi_value descriptor(napi_env env) {
  napi_value numbers;
  if (napi_create_object(env, &numbers) != napi_ok) return NULL;
  set_int(env, numbers, "SLOT", SLOT);
  set_int(env, numbers, "HEAD_OFFSET", HEAD_OFFSET);
  set_int(env, numbers, "HEAD_LENGTH", HEAD_LENGTH);
  set_int(env, numbers, "OFFSET", OFFSET);
  set_int(env, numbers, "LENGTH", LENGTH);
  set_int(env, numbers, "PEER", PEER);
  set_int(env, numbers, "OUTER", OUTER);
  set_int(env, numbers, "SEGMENT", SEGMENT);
  set_int(env, numbers, "WORDS", WORDS);
  set_int(env, numbers, "FOLLOW_SHIFT", FOLLOW_SHIFT);
  set_int(env, numbers, "ADDRESS_BYTES", ADDRESS_BYTES);
  set_int(env, numbers, "TRUNCATED", TRUNCATED);
  set_int(env, numbers, "VTEP_MASK", VTEP_MASK);
  set_int(env, numbers, "TTL_SHIFT", TTL_SHIFT);
  set_int(env, numbers, "DONT_FRAGMENT", DONT_FRAGMENT);
  set_int(env, numbers, "POLLIN", POLLIN);
  set_int(env, numbers, "POLLOUT", POLLOUT);
  set_int(env, numbers, "POLLERR", POLLERR);
  set_int(env, numbers, "POLLHUP", POLLHUP);
  set_int(env, numbers, "POLLNVAL", POLLNVAL);
  return numbers;
}

static void forget(napi_env env, void *scratch, void *hint) {
  (void)env;
  (void)hint;
  free(scratch);
}

NAPI_MODULE_INIT() {
  struct scratch *scratch = scratch_new();
  if (!scratch || napi_set_instance_data(env, scratch, forget, NULL) != napi_ok) {
    free(scratch);
    napi_throw_error(env, "ERR_MEMORY_ALLOCATION_FAILED", "poplin_shim: no memory");
    return NULL;
  }
  for (size_t i = 0; i < sizeof CALLS / sizeof *CALLS; i++) {
    napi_value function;
    if (napi_create_function(env, CALLS[i].name, NAPI_AUTO_LENGTH, CALLS[i].call, scratch, &function) != napi_ok ||
        napi_set_named_property(env, exports, CALLS[i].name, function) != napi_ok)
      return NULL;
  }
  napi_set_named_property(env, exports, "descriptor", descriptor(env));
  return exports;
}
