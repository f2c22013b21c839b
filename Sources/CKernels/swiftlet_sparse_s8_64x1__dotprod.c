#if defined(__aarch64__)
#define SWIFTLET_SPARSE_TARGET __attribute__((target("dotprod")))
#define SWIFTLET_SPARSE_DOTPROD 1
#include "sparse_s8_neon.h"

SWIFTLET_SPARSE_TARGET void swiftlet_sparse_s8_64x1__dotprod(const swiftlet_sparse_s8_arguments *a) {
    const int vectors = (a->pixels + lanes - 1) / lanes;
    pack(a, vectors);
    switch (vectors) {
#define TILE(count) case count: run(a, count); break;
        TILE(1) TILE(2) TILE(3) TILE(4) TILE(5) TILE(6) TILE(7) TILE(8)
#undef TILE
    default: break;
    }
}
#endif
