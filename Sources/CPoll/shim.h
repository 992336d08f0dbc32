// Linux descriptors that the Glibc module does not bring to Swift: signals and timers to poll for.
#pragma once
// No _GNU_SOURCE here: the C library's types would differ from those in other modules' headers, and a file
// that imports both would not compile (fd_set, seen beside CArchive).
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

static int continuo_signal_pipe[2] = {-1, -1};

static void continuo_on_signal(int number) {
  unsigned char byte = (unsigned char)number;
  ssize_t ignored = write(continuo_signal_pipe[1], &byte, 1);
  (void)ignored;
}
// Lets SIGTERM, SIGINT and SIGHUP write into a pipe and ignores SIGPIPE; gives the end to poll, −1 when
// the system refuses. Not signalfd: OpenBLAS starts threads before main, where no signal can be blocked.
static inline int continuo_signal_descriptor(void) {
  if (continuo_signal_pipe[0] < 0) {
    if (pipe(continuo_signal_pipe) != 0) return -1;
    for (int end = 0; end < 2; end++) {
      fcntl(continuo_signal_pipe[end], F_SETFD, FD_CLOEXEC);
      fcntl(continuo_signal_pipe[end], F_SETFL, O_NONBLOCK);
    }
  }
  // Whoever started this program may have had them blocked, and the mask is inherited.
  sigset_t wanted;
  sigemptyset(&wanted);
  sigaddset(&wanted, SIGTERM);
  sigaddset(&wanted, SIGINT);
  sigaddset(&wanted, SIGHUP);
  pthread_sigmask(SIG_UNBLOCK, &wanted, 0);
  struct sigaction action = {0};
  action.sa_handler = continuo_on_signal;
  action.sa_flags = SA_RESTART;
  sigaction(SIGTERM, &action, 0);
  sigaction(SIGINT, &action, 0);
  sigaction(SIGHUP, &action, 0);
  signal(SIGPIPE, SIG_IGN);
  return continuo_signal_pipe[0];
}
// The number of a signal that came, or 0.
static inline int continuo_read_signal(int descriptor) {
  unsigned char byte = 0;
  return read(descriptor, &byte, 1) == 1 ? byte : 0;
}
// A descriptor that becomes readable every so many milliseconds.
static inline int continuo_timer_descriptor(int milliseconds) {
  int descriptor = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
  struct itimerspec every = {
      {milliseconds / 1000, milliseconds % 1000 * 1000000L},
      {milliseconds / 1000, milliseconds % 1000 * 1000000L}};
  timerfd_settime(descriptor, 0, &every, 0);
  return descriptor;
}
// How often the timer came due since the last call.
static inline uint64_t continuo_read_timer(int descriptor) {
  uint64_t times = 0;
  return read(descriptor, &times, sizeof times) == sizeof times ? times : 0;
}
// Large blocks go back to the system when they are freed. By itself the C library keeps blocks of up to 32 MB
// for later once it has seen one freed, so that memory would depend on what was played before.
// Two arenas are enough for threads that seldom allocate, and leave fewer holes than one for each.
static inline void continuo_return_large_blocks(void) {
  mallopt(M_MMAP_THRESHOLD, 1 << 20);
  mallopt(M_ARENA_MAX, 2);
}
// A datagram socket of the local kind, closed in programs that this one starts; −1 when there is none.
// Here because whole-module builds do not find the socket types in Swift's Glibc module.
static inline int continuo_local_datagram_socket(void) {
  return socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
}
