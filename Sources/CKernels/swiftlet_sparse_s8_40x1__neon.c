#if defined(__aarch64__)
#define SWIFTLET_SPARSE_TARGET
#define SWIFTLET_SPARSE_DOTPROD 0
#include "sparse_s8_neon.h"

void swiftlet_sparse_s8_40x1__neon(const swiftlet_sparse_s8_arguments *a) {
    const int vectors = (a->pixels + lanes - 1) / lanes;
    pack(a, vectors);
    switch (vectors) {
#define TILE(count) case count: run(a, count); break;
        TILE(1) TILE(2) TILE(3) TILE(4) TILE(5)
#undef TILE
    default: break;
    }
}
#endif
