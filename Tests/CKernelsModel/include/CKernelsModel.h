#pragma once
#include <stdint.h>

// Puts software models in the place of those kernels of the list that need VPDPBUSD and that this CPU, which has AVX2,
// lacks: the kernels' own source with the instruction computed otherwise. Returns the CPU's features (SWIFTLET_CPU_…) with
// those that the models stand for; on other CPUs it changes nothing.
uint32_t swiftlet_install_kernel_models(void);
