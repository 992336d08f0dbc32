// liblo for Swift: the headers.
#pragma once
#include <lo/lo.h>
