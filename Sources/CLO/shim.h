// liblo for Swift: the headers, and trampolines that hide its handle types, which change from `void *`
// to distinct pointers after 0.31; through these the same Swift compiles with both.
#pragma once
#include <lo/lo.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// What a server calls back: a message, and the borders of a bundle.
typedef struct {
  void (*message)(const char *path, const char *host, const char *port, void *message, void *context);
  void (*bundle_begins)(uint32_t seconds, uint32_t fraction, void *context);
  void (*bundle_ends)(void *context);
  void *context;
} continuo_osc_handlers;

static int continuo_osc_on_message(
    const char *path, const char *types, lo_arg **arguments, int count, lo_message message,
    void *user) {
  (void)types, (void)arguments, (void)count;
  continuo_osc_handlers *handlers = (continuo_osc_handlers *)user;
  lo_address source = lo_message_get_source(message);
  handlers->message(
      path, source ? lo_address_get_hostname(source) : 0, source ? lo_address_get_port(source) : 0,
      (void *)message, handlers->context);
  return 0;
}
static int continuo_osc_on_bundle(lo_timetag time, void *user) {
  continuo_osc_handlers *handlers = (continuo_osc_handlers *)user;
  handlers->bundle_begins(time.sec, time.frac, handlers->context);
  return 0;
}
static int continuo_osc_on_bundle_end(void *user) {
  continuo_osc_handlers *handlers = (continuo_osc_handlers *)user;
  handlers->bundle_ends(handlers->context);
  return 0;
}
static void continuo_osc_on_error(int number, const char *message, const char *where) {
  (void)number, (void)message, (void)where;
}

// A UDP server that listens on `socket`, which the caller made and bound: no version of liblo can bind
// to one address, so our socket is put in the place of its own. `socket` stays open in the server.
static inline void *continuo_osc_server(int socket, continuo_osc_handlers *handlers) {
  lo_server server = lo_server_new_with_proto(NULL, LO_UDP, continuo_osc_on_error);
  if (!server) return 0;
  if (dup2(socket, lo_server_get_socket_fd(server)) < 0) {
    lo_server_free(server);
    return 0;
  }
  lo_server_enable_queue(server, 0, 1);
  lo_server_add_bundle_handlers(
      server, continuo_osc_on_bundle, continuo_osc_on_bundle_end, handlers);
  lo_server_add_method(server, NULL, NULL, continuo_osc_on_message, handlers);
  return (void *)server;
}
static inline int continuo_osc_server_socket(void *server) {
  return lo_server_get_socket_fd((lo_server)server);
}
// Handles one waiting packet; 0 when there was none.
static inline int continuo_osc_server_receive(void *server) {
  return lo_server_recv_noblock((lo_server)server, 0);
}
static inline void continuo_osc_server_free(void *server) { lo_server_free((lo_server)server); }

// Messages, to read.
static inline const char *continuo_osc_types(void *message) {
  const char *types = lo_message_get_types((lo_message)message);
  return types ? types : "";
}
static inline int32_t continuo_osc_int(void *message, int index) {
  return lo_message_get_argv((lo_message)message)[index]->i;
}
static inline int64_t continuo_osc_int64(void *message, int index) {
  return lo_message_get_argv((lo_message)message)[index]->h;
}
static inline float continuo_osc_float(void *message, int index) {
  return lo_message_get_argv((lo_message)message)[index]->f;
}
static inline double continuo_osc_double(void *message, int index) {
  return lo_message_get_argv((lo_message)message)[index]->d;
}
static inline const char *continuo_osc_string(void *message, int index) {
  return &lo_message_get_argv((lo_message)message)[index]->s;
}
static inline uint64_t continuo_osc_time(void *message, int index) {
  lo_timetag tag = lo_message_get_argv((lo_message)message)[index]->t;
  return (uint64_t)tag.sec << 32 | tag.frac;
}
static inline const uint8_t *continuo_osc_blob(void *message, int index, uint32_t *size) {
  lo_blob blob = (lo_blob)lo_message_get_argv((lo_message)message)[index];
  *size = lo_blob_datasize(blob);
  return (const uint8_t *)lo_blob_dataptr(blob);
}
static inline const uint8_t *continuo_osc_midi(void *message, int index) {
  return lo_message_get_argv((lo_message)message)[index]->m;
}

// Messages, to write.
static inline void *continuo_osc_message(void) { return (void *)lo_message_new(); }
static inline void continuo_osc_message_free(void *message) { lo_message_free((lo_message)message); }
static inline void continuo_osc_add_int(void *m, int32_t v) { lo_message_add_int32((lo_message)m, v); }
static inline void continuo_osc_add_int64(void *m, int64_t v) { lo_message_add_int64((lo_message)m, v); }
static inline void continuo_osc_add_float(void *m, float v) { lo_message_add_float((lo_message)m, v); }
static inline void continuo_osc_add_double(void *m, double v) { lo_message_add_double((lo_message)m, v); }
static inline void continuo_osc_add_string(void *m, const char *v) { lo_message_add_string((lo_message)m, v); }
static inline void continuo_osc_add_bool(void *m, int v) {
  if (v) lo_message_add_true((lo_message)m);
  else lo_message_add_false((lo_message)m);
}
static inline void continuo_osc_add_nil(void *m) { lo_message_add_nil((lo_message)m); }
static inline void continuo_osc_add_time(void *m, uint64_t v) {
  lo_timetag tag = {(uint32_t)(v >> 32), (uint32_t)v};
  lo_message_add_timetag((lo_message)m, tag);
}
static inline void continuo_osc_add_blob(void *m, const uint8_t *bytes, uint32_t size) {
  lo_blob blob = lo_blob_new((int32_t)size, bytes);
  if (blob) {
    lo_message_add_blob((lo_message)m, blob);
    lo_blob_free(blob);
  }
}
// The packet of a message, to be freed with `free`.
static inline void *continuo_osc_serialise(void *message, const char *path, size_t *size) {
  return lo_message_serialise((lo_message)message, path, NULL, size);
}
// The message in a packet, or null when the packet is broken. `data` is changed (byte order).
static inline void *continuo_osc_deserialise(void *data, size_t size) {
  int result = 0;
  return (void *)lo_message_deserialise(data, size, &result);
}
