// JACK for Swift: the headers, and wrappers for what Swift cannot import (variadic functions).
#pragma once
#include <jack/control.h>
#include <jack/jack.h>
#include <jack/metadata.h>
#include <jack/midiport.h>
#include <jack/transport.h>

static inline jack_client_t *continuo_jack_client_open(
    const char *name, jack_options_t options, jack_status_t *status) {
  return jack_client_open(name, options, status);
}
