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

/* Bit of OUTER: the datagram was longer than the room for it, and its end is lost. */
enum { TRUNCATED = 0x100 };

#endif
