/*
 * What the files of the shim give to module.c. Each call makes system calls and nothing else; what the bytes mean is
 * none of its business. Every descriptor it opens is close-on-exec (a child that held a TAP queue would swallow
 * packets) and non-blocking.
 */
#ifndef POPLIN_SHIM_H
#define POPLIN_SHIM_H

#include <node_api.h>

/* tap.c */
napi_value tap_open(napi_env env, napi_callback_info info);
napi_value tap_mac(napi_env env, napi_callback_info info);
napi_value tap_persist(napi_env env, napi_callback_info info);
napi_value tap_offload(napi_env env, napi_callback_info info);

/* link.c */
napi_value link_up(napi_env env, napi_callback_info info);
napi_value link_index(napi_env env, napi_callback_info info);
napi_value bind_device(napi_env env, napi_callback_info info);

/* udp.c */
napi_value udp_open(napi_env env, napi_callback_info info);
napi_value reuse_port(napi_env env, napi_callback_info info);

/* multicast.c */
napi_value udp_interface(napi_env env, napi_callback_info info);
napi_value udp_join(napi_env env, napi_callback_info info);
napi_value udp_members_only(napi_env env, napi_callback_info info);

/* batch.c */
napi_value read_batch(napi_env env, napi_callback_info info);
napi_value write_batch(napi_env env, napi_callback_info info);

/* message.c: these are registered with a `struct scratch` of their thread as data. */
struct scratch;
struct scratch *scratch_new(void);
struct iovec;
struct iovec *scratch_parts(struct scratch *scratch);
napi_value send_batch(napi_env env, napi_callback_info info);
napi_value recv_batch(napi_env env, napi_callback_info info);
napi_value socket_drops(napi_env env, napi_callback_info info);

/* sum.c */
napi_value sum_ranges(napi_env env, napi_callback_info info);
napi_value misalignment(napi_env env, napi_callback_info info);
napi_value copy_pieces(napi_env env, napi_callback_info info);

/* wait.c */
napi_value event_open(napi_env env, napi_callback_info info);
napi_value event_signal(napi_env env, napi_callback_info info);
napi_value event_clear(napi_env env, napi_callback_info info);
napi_value poll_set(napi_env env, napi_callback_info info);
napi_value poll_spinning(napi_env env, napi_callback_info info);
napi_value close_fd(napi_env env, napi_callback_info info);

/* watch.c */
napi_value watch_open(napi_env env, napi_callback_info info);

/* epoll.c */
napi_value epoll_open(napi_env env, napi_callback_info info);
napi_value epoll_add(napi_env env, napi_callback_info info);
napi_value epoll_ready(napi_env env, napi_callback_info info);

/* unix.c */
napi_value unix_listen(napi_env env, napi_callback_info info);
napi_value unix_connect(napi_env env, napi_callback_info info);
napi_value unix_accept(napi_env env, napi_callback_info info);
napi_value unix_peer(napi_env env, napi_callback_info info);
napi_value unix_shutdown(napi_env env, napi_callback_info info);
napi_value send_descriptors(napi_env env, napi_callback_info info);
napi_value receive_descriptors(napi_env env, napi_callback_info info);

/* netlink.c */
napi_value netlink_open(napi_env env, napi_callback_info info);
napi_value attach_filter(napi_env env, napi_callback_info info);

/* packet.c */
napi_value packet_drops(napi_env env, napi_callback_info info);

/* path.c */
napi_value route_mtus(napi_env env, napi_callback_info info);
napi_value icmp_open(napi_env env, napi_callback_info info);
napi_value send_to(napi_env env, napi_callback_info info);
napi_value receive_from(napi_env env, napi_callback_info info);

/* local.c */
napi_value send_local(napi_env env, napi_callback_info info);
napi_value send_now(napi_env env, napi_callback_info info);

#endif
