/*
 * The hot calls of a socket: sendmmsg(2) and recvmmsg(2), with what goes beside a datagram (the outer TOS and TTL,
 * segment sizes) in control messages.
 *
 * How many datagrams found no room is asked for with SO_MEMINFO, never with SO_RXQ_OVFL, which would bring the count
 * as a control message: put_cmsg copies it out of the skb, and for an skb of the fclone cache (inner TCP of a kernel
 * VXLAN device in another namespace) a kernel with CONFIG_HARDENED_USERCOPY takes that for an attack. It kills the
 * thread inside recvmmsg, without a word to the process (seen on 6.18; CVE-2026-22977 is the same in
 * sock_recv_errqueue).
 *
 * No memory is taken per call: message headers live in a `struct scratch`, one per thread, filled in as far as they
 * never change when the shim is loaded.
 */
#include <errno.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "batch.h"
#include "shim.h"

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif
#ifndef UDP_GRO
#define UDP_GRO 104
#endif
#ifndef SO_MEMINFO
#define SO_MEMINFO 55
#endif

/* Messages per sendmmsg or recvmmsg. */
enum { CHUNK = 64 };

/* To send: TOS and TTL (int), segment size (u16). To receive: TOS (int over IPv6), GRO size (int). */
enum {
  SEND_CONTROL = CMSG_SPACE(sizeof(int)) * 2 + CMSG_SPACE(sizeof(uint16_t)),
  RECV_CONTROL = CMSG_SPACE(sizeof(int)) * 2,
};

struct scratch {
  struct mmsghdr send[CHUNK], recv[CHUNK];
  struct iovec send_parts[MAX_PARTS], recv_parts[CHUNK];
  _Alignas(struct cmsghdr) char send_control[CHUNK][SEND_CONTROL];
  _Alignas(struct cmsghdr) char recv_control[CHUNK][RECV_CONTROL];
};

struct scratch *scratch_new(void) {
  struct scratch *s = calloc(1, sizeof *s);
  for (int i = 0; s && i < CHUNK; i++) {
    s->recv[i].msg_hdr.msg_iov = &s->recv_parts[i];
    s->recv[i].msg_hdr.msg_iovlen = 1;
    s->recv[i].msg_hdr.msg_control = s->recv_control[i];
  }
  return s;
}

/* Room for the parts of one message at least, for calls that send no messages of a socket. */
struct iovec *scratch_parts(struct scratch *scratch) {
  return scratch->send_parts;
}

static size_t put_control(char *at, int level, int type, const void *data, size_t length) {
  struct cmsghdr *control = (struct cmsghdr *)at;
  control->cmsg_level = level;
  control->cmsg_type = type;
  control->cmsg_len = CMSG_LEN(length);
  memcpy(CMSG_DATA(control), data, length);
  return CMSG_SPACE(length);
}

/* A call to send, beside its batch. */
struct sending {
  struct batch b;
  uint8_t *addresses;
  size_t peers;
  /* Sockets to send from by those bits of OUTER that SENDER names, (bits, fd) after (bits, fd). */
  const int32_t *senders;
  size_t sender_count;
  /* Each row goes as a datagram of its own, whatever follows it. */
  bool single;
};

/* What decides by which socket a row leaves: its source port, and whether DF is set, which is a socket's property. */
static const uint32_t SENDER = 0xffff0000u | DONT_FRAGMENT;

/* The socket with the source port and the DF bit that the row asks for; the batch's own for 0, and where there is none. */
static int socket_of(const struct sending *s, const int32_t *row) {
  int32_t wanted = (int32_t)((uint32_t)row[OUTER] & SENDER);
  for (size_t i = 0; wanted && i < s->sender_count; i++)
    if (s->senders[2 * i] == wanted) return s->senders[2 * i + 1];
  return s->b.fd;
}

/* Row of the address slab to send to. */
static size_t peer_of(const int32_t *row) {
  return (size_t)((uint32_t)row[PEER] & VTEP_MASK);
}

static void fill_control(struct scratch *s, int i, uint16_t family, const int32_t *row, bool segmented) {
  struct msghdr *message = &s->send[i].msg_hdr;
  char *control = s->send_control[i];
  size_t used = 0;
  int tos = row[OUTER] & 0xff;
  if (tos && family == AF_INET) used += put_control(control, IPPROTO_IP, IP_TOS, &tos, sizeof tos);
  if (tos && family != AF_INET) used += put_control(control, IPPROTO_IPV6, IPV6_TCLASS, &tos, sizeof tos);
  int ttl = (int)((uint32_t)row[PEER] >> TTL_SHIFT);
  if (ttl && family == AF_INET) used += put_control(control + used, IPPROTO_IP, IP_TTL, &ttl, sizeof ttl);
  if (ttl && family != AF_INET) used += put_control(control + used, IPPROTO_IPV6, IPV6_HOPLIMIT, &ttl, sizeof ttl);
  uint16_t segment = (uint16_t)row[SEGMENT];
  if (segment && segmented) used += put_control(control + used, IPPROTO_UDP, UDP_SEGMENT, &segment, sizeof segment);
  message->msg_control = used ? control : NULL;
  message->msg_controllen = used;
}

/*
 * Makes message i of the chunk say what the rows from `at` on say. Returns how many rows it took, 0 when they need
 * more than the parts that are left, -1 when they point outside.
 */
static int32_t fill_send(const struct sending *s, int i, int32_t at, int used_parts) {
  struct scratch *scratch = s->b.scratch;
  struct msghdr *message = &scratch->send[i].msg_hdr;
  const int32_t *row = row_at(&s->b, at);
  int32_t rows = s->single ? 1 : rows_of(&s->b, at);
  struct iovec *parts = scratch->send_parts + used_parts;
  if (peer_of(row) >= s->peers || rows > s->b.count - at || rows * 2 > MAX_PARTS) return -1;
  int n = gather(&s->b, at, rows, parts, MAX_PARTS - used_parts);
  if (n <= 0) return n;
  message->msg_iov = parts;
  message->msg_iovlen = (size_t)n;

  uint16_t family;
  message->msg_name = s->addresses + peer_of(row) * ADDRESS_BYTES;
  memcpy(&family, message->msg_name, sizeof family);
  message->msg_namelen = family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
  fill_control(scratch, i, family, row, !s->single);
  return rows;
}

/*
 * Fills a chunk with messages for one socket, from row `done` on. `taken[i]` are the rows of message i. Returns how
 * many messages there are, with `fd`; 0 when the first one points outside.
 */
static int fill_chunk(const struct sending *s, int32_t done, int32_t taken[CHUNK], int *fd) {
  int n = 0, parts = 0;
  for (int32_t at = done; n < CHUNK && at < s->b.count; n++) {
    int from = socket_of(s, row_at(&s->b, at));
    if (n == 0) *fd = from;
    if (from != *fd) break;
    int32_t rows = fill_send(s, n, at, parts);
    if (rows <= 0) break;
    parts += (int)s->b.scratch->send[n].msg_hdr.msg_iovlen;
    taken[n] = rows;
    at += rows;
  }
  return n;
}

napi_value send_batch(napi_env env, napi_callback_info info) {
  napi_value argv[BATCH_ARGS + 3];
  struct sending s;
  void *addresses, *senders;
  size_t address_bytes, sender_words;
  if (!batch_get(env, info, BATCH_ARGS + 3, argv, &s.b) ||
      !arg_array(env, argv[BATCH_ARGS], "addresses", napi_uint8_array, &addresses, &address_bytes) ||
      !arg_array(env, argv[BATCH_ARGS + 1], "senders", napi_int32_array, &senders, &sender_words))
    return NULL;
  if (napi_get_value_bool(env, argv[BATCH_ARGS + 2], &s.single) != napi_ok) {
    napi_throw_type_error(env, "ERR_INVALID_ARG_TYPE", "single: a boolean wanted");
    return NULL;
  }
  s.addresses = addresses;
  s.peers = address_bytes / ADDRESS_BYTES;
  s.senders = senders;
  s.sender_count = sender_words / 2;
  int32_t done = 0, taken[CHUNK];
  while (done < s.b.count) {
    int fd;
    int n = fill_chunk(&s, done, taken, &fd);
    if (n == 0) return batch_result(env, done, BAD_ROW);
    int sent;
    do sent = sendmmsg(fd, s.b.scratch->send, (unsigned)n, 0);
    while (sent < 0 && errno == EINTR);
    if (sent < 0) return batch_result(env, done, -errno);
    for (int i = 0; i < sent; i++) done += taken[i];
    if (sent < n) break;
  }
  return batch_result(env, done, 0);
}

/* Reads the control messages of a received datagram into its row. */
static void take_control(struct msghdr *message, int32_t *row) {
  int32_t outer = message->msg_flags & MSG_TRUNC ? TRUNCATED : 0;
  int32_t segment = 0;
  for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c)) {
    const void *data = CMSG_DATA(c);
    if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_TOS) {
      outer |= *(const uint8_t *)data;
    } else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_TCLASS) {
      int tclass;
      memcpy(&tclass, data, sizeof tclass);
      outer |= tclass & 0xff;
    } else if (c->cmsg_level == IPPROTO_UDP && c->cmsg_type == UDP_GRO) {
      int size;
      memcpy(&size, data, sizeof size);
      segment = size & 0xffff;
    }
  }
  row[OUTER] = outer;
  row[SEGMENT] = segment;
}

static bool fill_recv(const struct batch *b, int i, const int32_t *row, uint8_t *address) {
  struct msghdr *message = &b->scratch->recv[i].msg_hdr;
  if (!body_inside(b, row)) return false;
  b->scratch->recv_parts[i] = (struct iovec){b->arena + row[OFFSET], (size_t)row[LENGTH]};
  message->msg_name = address;
  message->msg_namelen = ADDRESS_BYTES;
  message->msg_controllen = RECV_CONTROL;
  return true;
}

/* What the socket has dropped so far, for want of room or with a wrong checksum; 0 where nobody knows. */
napi_value socket_drops(napi_env env, napi_callback_info info) {
  napi_value argv[1];
  int32_t fd;
  if (!args_get(env, info, 1, argv, NULL) || !arg_int(env, argv[0], "fd", &fd)) return NULL;
  uint32_t memory[SK_MEMINFO_VARS] = {0};
  socklen_t length = sizeof memory;
  if (getsockopt(fd, SOL_SOCKET, SO_MEMINFO, memory, &length) < 0) return make_int(env, 0);
  return make_int(env, memory[SK_MEMINFO_DROPS]);
}

napi_value recv_batch(napi_env env, napi_callback_info info) {
  napi_value argv[BATCH_ARGS + 1];
  struct batch b;
  void *addresses;
  size_t address_bytes;
  if (!batch_get(env, info, BATCH_ARGS + 1, argv, &b) ||
      !arg_array(env, argv[BATCH_ARGS], "addresses", napi_uint8_array, &addresses, &address_bytes))
    return NULL;
  if (address_bytes / ADDRESS_BYTES <= b.mask) {
    out_of_range(env, "addresses: a row for each descriptor");
    return NULL;
  }
  struct mmsghdr *messages = b.scratch->recv;
  int32_t done = 0;
  while (done < b.count) {
    int want = b.count - done < CHUNK ? b.count - done : CHUNK;
    int n = 0;
    for (; n < want; n++) {
      size_t at = (b.start + (uint32_t)(done + n)) & b.mask;
      if (!fill_recv(&b, n, b.words + at * WORDS, (uint8_t *)addresses + at * ADDRESS_BYTES)) break;
    }
    if (n == 0) return batch_result(env, done, BAD_ROW);
    int got;
    do got = recvmmsg(b.fd, messages, (unsigned)n, MSG_DONTWAIT, NULL);
    while (got < 0 && errno == EINTR);
    if (got < 0) return batch_result(env, done, -errno);
    for (int i = 0; i < got; i++) {
      int32_t *row = row_at(&b, done + i);
      row[LENGTH] = (int32_t)messages[i].msg_len;
      take_control(&messages[i].msg_hdr, row);
    }
    done += got;
    if (got < n) break;
  }
  return batch_result(env, done, 0);
}
