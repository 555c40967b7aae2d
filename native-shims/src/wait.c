/* Waiting until a descriptor is ready, asleep or spinning, being woken from another thread (eventfd(2)), and closing. */
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "args.h"
#include "shim.h"

/* A poll set: a TAP, a socket, a wake-up, and some to spare. */
enum { MAX_POLL = 16, POLL_WORDS = 3 };

napi_value event_open(napi_env env, napi_callback_info info) {
  (void)info;
  int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  return fd < 0 ? throw_errno(env, errno, "eventfd") : make_int(env, fd);
}

static bool only_fd(napi_env env, napi_callback_info info, int32_t *fd) {
  napi_value argv[1];
  return args_get(env, info, 1, argv, NULL) && arg_int(env, argv[0], "fd", fd);
}

napi_value event_signal(napi_env env, napi_callback_info info) {
  int32_t fd;
  if (!only_fd(env, info, &fd)) return NULL;
  const uint64_t one = 1;
  /* EAGAIN: the count is at its limit, so it is signalled already. */
  if (write(fd, &one, sizeof one) < 0 && errno != EAGAIN) return throw_errno(env, errno, "write(eventfd)");
  return make_undefined(env);
}

napi_value event_clear(napi_env env, napi_callback_info info) {
  int32_t fd;
  if (!only_fd(env, info, &fd)) return NULL;
  uint64_t count;
  /* EAGAIN: there was no signal. */
  if (read(fd, &count, sizeof count) < 0 && errno != EAGAIN) return throw_errno(env, errno, "read(eventfd)");
  return make_undefined(env);
}

/* The rows of a set, as poll(2) has them. */
struct set {
  int32_t *words;
  size_t count;
  struct pollfd fds[MAX_POLL];
};

static bool set_get(napi_env env, napi_value value, struct set *s) {
  void *data;
  size_t length;
  if (!arg_array(env, value, "set", napi_int32_array, &data, &length)) return false;
  s->words = data;
  s->count = length / POLL_WORDS;
  if (s->count > MAX_POLL) {
    napi_throw_range_error(env, "ERR_OUT_OF_RANGE", "poll: at most 16 rows");
    return false;
  }
  for (size_t i = 0; i < s->count; i++)
    s->fds[i] = (struct pollfd){.fd = s->words[i * POLL_WORDS], .events = (short)s->words[i * POLL_WORDS + 1]};
  return true;
}

/* Writes what came to the rows. `ready` is what poll(2) has returned. */
static napi_value set_result(napi_env env, struct set *s, int ready) {
  if (ready < 0 && errno != EINTR) return throw_errno(env, errno, "poll");
  for (size_t i = 0; i < s->count; i++) s->words[i * POLL_WORDS + 2] = ready > 0 ? s->fds[i].revents : 0;
  return make_int(env, ready > 0 ? ready : 0);
}

napi_value poll_set(napi_env env, napi_callback_info info) {
  napi_value argv[2];
  struct set s;
  int32_t timeout;
  if (!args_get(env, info, 2, argv, NULL) || !set_get(env, argv[0], &s) || !arg_int(env, argv[1], "timeout", &timeout))
    return NULL;
  return set_result(env, &s, poll(s.fds, s.count, timeout));
}

static int64_t now_us(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000000LL + now.tv_nsec / 1000;
}

/* How a wait ended; the same numbers stand in `src/dataplane/spin.ts`. */
enum { AT_ONCE, SPINNING, ASLEEP };

/* What a wait was like, in the order of the words it is written to. */
struct wait {
  int32_t how, micros, wanted;
};

/*
 * Looks again and again, and gives the CPU to whoever waits for it in between. A look that comes late because somebody
 * had the CPU for `patience` is the last one. Returns what the last look found.
 */
static int spin(struct set *s, int64_t start, int32_t budget, int32_t patience, struct wait *w) {
  int64_t before = start;
  for (;;) {
    sched_yield();
    int64_t now = now_us();
    if (now - before > patience) w->wanted = 1;
    before = now;
    int ready = poll(s->fds, s->count, 0);
    if (ready != 0 || w->wanted || now - start >= budget) return ready;
  }
}

napi_value poll_spinning(napi_env env, napi_callback_info info) {
  napi_value argv[5];
  struct set s;
  void *out;
  size_t words;
  int32_t timeout, budget, patience;
  if (!args_get(env, info, 5, argv, NULL) || !set_get(env, argv[0], &s) ||
      !arg_int(env, argv[1], "timeout", &timeout) || !arg_int(env, argv[2], "budget", &budget) ||
      !arg_int(env, argv[3], "patience", &patience) ||
      !arg_array(env, argv[4], "report", napi_int32_array, &out, &words))
    return NULL;
  if (words * sizeof(int32_t) < sizeof(struct wait)) {
    napi_throw_range_error(env, "ERR_OUT_OF_RANGE", "report: three words wanted");
    return NULL;
  }
  struct wait w = {AT_ONCE, 0, 0};
  int64_t start = now_us();
  int ready = poll(s.fds, s.count, 0);
  if (ready == 0 && budget > 0) {
    w.how = SPINNING;
    ready = spin(&s, start, budget, patience, &w);
  }
  if (ready == 0 && timeout != 0) {
    w.how = ASLEEP;
    ready = poll(s.fds, s.count, timeout);
  }
  int64_t micros = now_us() - start;
  w.micros = micros > INT32_MAX ? INT32_MAX : (int32_t)micros;
  int err = errno;
  memcpy(out, &w, sizeof w);
  errno = err;
  return set_result(env, &s, ready);
}

napi_value close_fd(napi_env env, napi_callback_info info) {
  int32_t fd;
  if (!only_fd(env, info, &fd)) return NULL;
  /* Never retried: Linux has let go of the number even when close says EINTR, and somebody else may have it by now. */
  if (close(fd) < 0 && errno != EINTR) return throw_errno(env, errno, "close");
  return make_undefined(env);
}
