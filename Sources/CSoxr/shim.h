// libsoxr for Swift.
#pragma once
#include <soxr.h>
