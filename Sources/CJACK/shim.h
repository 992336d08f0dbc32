// JACK for Swift: the headers, wrappers for what Swift cannot import (variadic functions), and the few
// calls that the audio callback makes, redeclared so that the compiler accepts them in `@_noLocks` code.
#pragma once
#include <jack/control.h>
#include <jack/jack.h>
#include <jack/metadata.h>
#include <jack/midiport.h>
#include <jack/transport.h>
#include <stdint.h>
#include <string.h>
#include <time.h>
#if defined(__SSE__)
#include <xmmintrin.h>
#endif

#define CONTINUO_REALTIME __attribute__((swift_attr("@_noLocks")))

// Opens a client of the server named `server`, or of the default one when that is null.
static inline jack_client_t *continuo_jack_client_open(
    const char *name, jack_options_t options, jack_status_t *status, const char *server) {
  if (server) return jack_client_open(name, (jack_options_t)(options | JackServerName), status, server);
  return jack_client_open(name, options, status);
}

// RealtimeSanitizer: present only in programs linked with -fsanitize=realtime, hence weak.
void __rtsan_realtime_enter(void) __attribute__((weak));
void __rtsan_realtime_exit(void) __attribute__((weak));

static inline CONTINUO_REALTIME void continuo_realtime_enter(void) {
  if (__rtsan_realtime_enter) __rtsan_realtime_enter();
}
static inline CONTINUO_REALTIME void continuo_realtime_exit(void) {
  if (__rtsan_realtime_exit) __rtsan_realtime_exit();
}

// JACK in the callback: all of these are real-time safe by JACK's own documentation.
static inline CONTINUO_REALTIME void *continuo_realtime_port_buffer(
    jack_port_t *port, jack_nframes_t frames) {
  return jack_port_get_buffer(port, frames);
}
static inline CONTINUO_REALTIME jack_nframes_t continuo_realtime_frame_time(
    const jack_client_t *client) {
  return jack_last_frame_time(client);
}
// Where the transport is at the beginning of this period.
typedef struct continuo_transport {
  int rolling;
  // Frames to the next bar line (0: it is here) and between bar lines; both 0 when nobody tells bars.
  int64_t to_bar;
  int64_t bar;
} continuo_transport;
static inline CONTINUO_REALTIME continuo_transport continuo_realtime_transport(
    const jack_client_t *client) {
  jack_position_t position;
  continuo_transport result = {0, 0, 0};
  result.rolling = jack_transport_query(client, &position) == JackTransportRolling;
  if (!(position.valid & JackPositionBBT) || !(position.beats_per_minute > 0) ||
      !(position.ticks_per_beat > 0) || !(position.beats_per_bar > 0)) {
    return result;
  }
  double beat = position.frame_rate * 60.0 / position.beats_per_minute;
  double bar = beat * position.beats_per_bar;
  double passed = beat * ((position.beat - 1) + position.tick / position.ticks_per_beat);
  double left = passed < 0.5 ? 0 : bar - passed;
  if (!(bar >= 1 && bar < 1e9 && left >= 0 && left < 1e9)) return result;
  result.bar = (int64_t)(bar + 0.5);
  result.to_bar = (int64_t)(left + 0.5);
  return result;
}
// The message of MIDI event `index` as 0x00SSDDDD (status, two data bytes), or 0 when it is longer
// than three bytes or not there.
static inline CONTINUO_REALTIME uint32_t continuo_realtime_midi_event(
    void *buffer, uint32_t index) {
  jack_midi_event_t event;
  if (jack_midi_event_get(&event, buffer, index) != 0 || event.size == 0 || event.size > 3) return 0;
  uint32_t message = (uint32_t)event.buffer[0] << 16;
  if (event.size > 1) message |= (uint32_t)event.buffer[1] << 8;
  if (event.size > 2) message |= event.buffer[2];
  return message;
}
static inline CONTINUO_REALTIME uint32_t continuo_realtime_midi_count(void *buffer) {
  return jack_midi_get_event_count(buffer);
}
static inline CONTINUO_REALTIME void continuo_realtime_midi_clear(void *buffer) {
  jack_midi_clear_buffer(buffer);
}
// Queues a three-byte message at the start of the period; 0 when it fitted.
static inline CONTINUO_REALTIME int continuo_realtime_midi_write(void *buffer, uint32_t message) {
  jack_midi_data_t bytes[3] = {
      (jack_midi_data_t)(message >> 16), (jack_midi_data_t)(message >> 8),
      (jack_midi_data_t)message};
  return jack_midi_event_write(buffer, 0, bytes, 3);
}

// The C library in the callback.
static inline CONTINUO_REALTIME void continuo_realtime_copy(
    float *target, const float *source, intptr_t count) {
  memcpy(target, source, (size_t)count * sizeof(float));
}
static inline CONTINUO_REALTIME void continuo_realtime_zero(float *target, intptr_t count) {
  memset(target, 0, (size_t)count * sizeof(float));
}
static inline CONTINUO_REALTIME int64_t continuo_realtime_nanoseconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}
// Only while the server freewheels, where JACK waits for its clients and nothing is heard.
static inline CONTINUO_REALTIME void continuo_freewheel_wait(void) {
  struct timespec pause = {0, 500000};
  continuo_realtime_exit();
  nanosleep(&pause, 0);
  continuo_realtime_enter();
}

// Denormal numbers are flushed to zero: silence that fades away must not cost more than music.
static inline void continuo_flush_denormals(void) {
#if defined(__SSE__)
  _mm_setcsr(_mm_getcsr() | 0x8040);
#elif defined(__aarch64__)
  uint64_t control;
  __asm__ volatile("mrs %0, fpcr" : "=r"(control));
  control |= (uint64_t)1 << 24;
  __asm__ volatile("msr fpcr, %0" : : "r"(control));
#endif
}
