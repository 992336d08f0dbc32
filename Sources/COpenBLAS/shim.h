// OpenBLAS for Swift: CBLAS and the thread-count control.
#pragma once
#include <cblas.h>
