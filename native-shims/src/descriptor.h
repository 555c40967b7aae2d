/*
 * One packet as the shim sees it: a row of eight 32-bit words. The same numbers stand in `src/dataplane/ring.ts`,
 * which says what each word means; module.c exports these so that a test can compare the two.
 */
#ifndef POPLIN_DESCRIPTOR_H
#define POPLIN_DESCRIPTOR_H

enum {
  SLOT = 0,
  HEAD_OFFSET = 1,
  HEAD_LENGTH = 2,
  OFFSET = 3,
  LENGTH = 4,
  PEER = 5,
  OUTER = 6,
  SEGMENT = 7,
  WORDS = 8,
};

/* Shifts the number of rows that follow in the same message to the low end of SEGMENT. */
enum { FOLLOW_SHIFT = 16 };

/* Bytes of one address row: a struct sockaddr_in6, of which a struct sockaddr_in is a prefix. */
enum { ADDRESS_BYTES = 28 };

/* Of PEER: the address row to send to; above it the TTL or hop limit, 0 for the socket's. */
enum { VTEP_MASK = 0xffffff, TTL_SHIFT = 24 };

/* Bit of OUTER: to be sent with DF set, by the socket that does. */
enum { DONT_FRAGMENT = 0x400 };

/* Bit of OUTER: the datagram was longer than the room for it, and its end is lost. */
enum { TRUNCATED = 0x100 };

#endif
