#pragma once
#include <stdint.h>

#include "swiftlet_clock.h"
#include "swiftlet_device.h"
#include "swiftlet_file.h"
#include "swiftlet_jpeg.h"
#include "swiftlet_pool.h"
