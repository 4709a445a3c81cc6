/* What the load and the quick server have in common: the clock, base64, and how long stamps are. */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { BYTES_PER_MS = 48, MAX_FRAME_MS = 1000, STAMP_BYTES = 24, STAMP_CHARS = 32 };

static uint64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void fail(const char *what) {
    fprintf(stderr, PROGRAM ": %s: %s\n", what, strerror(errno));
    exit(1);
}

/* ---- base64 ---- */

static const char ALPHABET[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static void encode(const unsigned char *in, size_t n, char *out) {
    for (size_t i = 0; i < n; i += 3, out += 4) {
        uint32_t w = (uint32_t)in[i] << 16 | (uint32_t)in[i + 1] << 8 | in[i + 2];
        for (int j = 0; j < 4; j++) out[j] = ALPHABET[w >> (18 - 6 * j) & 63];
    }
}

static int decode(const char *in, size_t n, unsigned char *out) {
    for (size_t i = 0; i < n; i += 4, out += 3) {
        uint32_t w = 0;
        for (int j = 0; j < 4; j++) {
            const char *found = in[i + j] ? strchr(ALPHABET, in[i + j]) : NULL;
            if (!found) return 0;
            w = w << 6 | (uint32_t)(found - ALPHABET);
        }
        out[0] = w >> 16, out[1] = w >> 8 & 255, out[2] = w & 255;
    }
    return 1;
}
