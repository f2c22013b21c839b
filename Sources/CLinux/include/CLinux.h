#pragma once
#include <stdint.h>

#include "swiftlet_clock.h"
#include "swiftlet_file.h"
#include "swiftlet_pool.h"
