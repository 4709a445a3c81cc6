/* A load of Realtime clients on one thread: WebSockets that each send a frame of audio every 20 ms and take what comes.
 *
 *     load --port P --path PATH --sessions N --seconds S --warm S --setup FILE --audio FILE [--stamp]
 *          [--frame-ms 20] [--header "NAME: VALUE"]
 *
 * Talks to whoever started it in lines.  Out: `open` when all sockets are; after the line `start` came in, every
 * session sends the messages of FILE (--setup, one a line) and then its audio, `measuring` when the warm-up is over,
 * `measured` after so many seconds, and one line of JSON.  Sessions go on until standard input ends.
 *
 * Latency both ways needs no other channel than the audio.  With --stamp the first 8 bytes of a frame are the time at
 * which it was sent (CLOCK_MONOTONIC, nanoseconds, little-endian); the server under test puts the time at which it made
 * a frame into the first 8 bytes of its own, and into the next 8 how long a frame of a client took to reach its ears.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define PROGRAM "load"
#include "stamps.h"

enum { MAX_CHARS = MAX_FRAME_MS * BYTES_PER_MS / 3 * 4, OPENING = 64, MAX_SETUP = 16, READ_BYTES = 256 * 1024 };
enum { TIMER = -1, INPUT = -2 };
static const char HEAD[] = "{\"type\":\"input_audio_buffer.append\",\"audio\":\"", TAIL[] = "\"}";

typedef enum { CONNECTING, UPGRADING, OPEN, CLOSED } State;
typedef struct {
    int fd;
    State state;
    char *in, *out;
    size_t in_len, in_cap, out_len, out_cap, audio_at;
} Session;
typedef struct {
    float *values;
    size_t count, room;
} Samples;

static int port = 8000, n_sessions = 1, with_stamps = 0, frame_ms = 20;
static double seconds = 5, warm = 1;
static const char *path = "/v1/realtime", *setup_file = "", *audio_file = "", *header = "";
static size_t frame_bytes, frame_chars;
static int epoll_fd, n_open, n_lost;
static Session *sessions;
static char *audio, *setup[MAX_SETUP];
static size_t audio_frames, n_setup;
static int is_measuring;
static uint64_t n_sent, n_received, n_messages, bytes_received;
static Samples up, down;

static uint32_t random_word(void) {
    static uint32_t x = 2463534242u;
    x ^= x << 13, x ^= x >> 17, x ^= x << 5;
    return x;
}

/* ---- samples ---- */

static void add(Samples *s, double microseconds) {
    if (s->count < s->room) s->values[s->count++] = (float)microseconds;
}

static int by_size(const void *a, const void *b) {
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

static void print_samples(const char *name, Samples *s) {
    qsort(s->values, s->count, sizeof *s->values, by_size);
    if (!s->count) {
        printf("\"%s\":null,", name);
        return;
    }
    printf("\"%s\":{\"p50\":%.1f,\"p99\":%.1f,\"max\":%.1f},", name, s->values[s->count / 2],
           s->values[s->count * 99 / 100], s->values[s->count - 1]);
}

/* ---- sockets ---- */

static void watch(Session *s) {
    struct epoll_event e = {.events = EPOLLIN | (s->out_len ? EPOLLOUT : 0), .data.u32 = (uint32_t)(s - sessions)};
    epoll_ctl(epoll_fd, EPOLL_CTL_MOD, s->fd, &e);
}

static void lose(Session *s, const char *why) {
    if (s->state == CLOSED) return;
    if (s->state == OPEN) n_open--;
    s->state = CLOSED;
    close(s->fd);
    if (n_lost++ < 3) fprintf(stderr, "load: session %ld: %s\n", (long)(s - sessions), why);
}

static void put(Session *s, const char *data, size_t n) {
    if (s->state == CLOSED) return;
    ssize_t sent = 0;
    if (!s->out_len) {
        sent = send(s->fd, data, n, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0 && errno != EAGAIN) {
            lose(s, strerror(errno));
            return;
        }
        if (sent < 0) sent = 0;
        if ((size_t)sent == n) return;
    }
    size_t rest = n - (size_t)sent;
    if (s->out_len + rest > s->out_cap) {
        s->out_cap = 2 * (s->out_len + rest);
        s->out = realloc(s->out, s->out_cap);
    }
    memcpy(s->out + s->out_len, data + sent, rest);
    s->out_len += rest;
    watch(s);
}

static void flush(Session *s) {
    if (!s->out_len) return;
    ssize_t sent = send(s->fd, s->out, s->out_len, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0) {
        if (errno != EAGAIN) lose(s, strerror(errno));
        return;
    }
    memmove(s->out, s->out + sent, s->out_len - (size_t)sent);
    s->out_len -= (size_t)sent;
    if (!s->out_len) watch(s);
}

static void send_frame(Session *s, int opcode, const char *payload, size_t n) {
    static char frame[MAX_CHARS + 65536];
    size_t at = 2;
    if (n + 16 > sizeof frame) fail("a message is too long");
    frame[0] = (char)(0x80 | opcode);
    if (n < 126) {
        frame[1] = (char)(0x80 | n);
    } else if (n > 65535) {
        frame[1] = (char)(0x80 | 127);
        for (int i = 0; i < 8; i++) frame[2 + i] = (char)((uint64_t)n >> (56 - 8 * i));
        at = 10;
    } else {
        frame[1] = (char)(0x80 | 126), frame[2] = (char)(n >> 8), frame[3] = (char)n;
        at = 4;
    }
    uint32_t mask = random_word();
    memcpy(frame + at, &mask, 4);
    at += 4;
    uint64_t wide = (uint64_t)mask << 32 | mask, word;
    size_t i = 0;
    for (; i + 8 <= n; i += 8) {
        memcpy(&word, payload + i, 8);
        word ^= wide;
        memcpy(frame + at + i, &word, 8);
    }
    for (; i < n; i++) frame[at + i] = payload[i] ^ ((char *)&mask)[i & 3];
    put(s, frame, at + n);
}

static void send_audio(Session *s) {
    static char message[sizeof HEAD + MAX_CHARS + sizeof TAIL];
    const size_t head = sizeof HEAD - 1, tail = sizeof TAIL - 1;
    memcpy(message, HEAD, head);
    memcpy(message + head, audio + s->audio_at * frame_chars, frame_chars);
    memcpy(message + head + frame_chars, TAIL, tail);
    s->audio_at = (s->audio_at + 1) % audio_frames;
    if (with_stamps) {
        unsigned char stamp[STAMP_BYTES] = {0};
        uint64_t now = now_ns();
        memcpy(stamp, &now, 8);
        encode(stamp, STAMP_BYTES, message + head);
    }
    send_frame(s, 1, message, head + frame_chars + tail);
    n_sent += (uint64_t)is_measuring;
}

static void receive_message(char *text, size_t n) {
    if (!is_measuring) return;
    uint64_t now = now_ns(), made, took;
    n_messages++;
    bytes_received += n;
    /* Either shape: `response.output_audio.delta` or `response.audio.delta`. */
    if (!memmem(text, n < 80 ? n : 80, "audio.delta", 11)) return;
    n_received++;
    char *found = memmem(text, n < 600 ? n : 600, "\"delta\":", 8);
    unsigned char stamp[STAMP_BYTES];
    if (!found) return;
    found += 8;
    while (found < text + n && (*found == ' ' || *found == '"')) found++;
    if (found + STAMP_CHARS > text + n || !decode(found, STAMP_CHARS, stamp)) return;
    memcpy(&made, stamp, 8);
    memcpy(&took, stamp + 8, 8);
    if (made && made < now) add(&down, (double)(now - made) / 1000);
    if (took) add(&up, (double)took / 1000);
}

static void read_frames(Session *s) {
    size_t at = 0;
    while (s->state == OPEN && s->in_len - at >= 2) {
        unsigned char *b = (unsigned char *)s->in + at;
        size_t head = 2;
        uint64_t n = b[1] & 127;
        if (n == 126) head = 4;
        if (n == 127) head = 10;
        if (s->in_len - at < head) break;
        if (head > 2) n = 0;
        for (size_t i = 2; i < head; i++) n = n << 8 | b[i];
        if (s->in_len - at < head + n) break;
        char *payload = (char *)b + head;
        int opcode = b[0] & 15;
        if (opcode == 1) receive_message(payload, n);
        if (opcode == 9) send_frame(s, 10, payload, n);
        if (opcode == 8) lose(s, "closed by the server");
        at += head + n;
    }
    if (s->state == CLOSED || !at) return;
    memmove(s->in, s->in + at, s->in_len - at);
    s->in_len -= at;
}

static void read_upgrade(Session *s) {
    char *end = memmem(s->in, s->in_len, "\r\n\r\n", 4);
    if (!end) return;
    if (strncmp(s->in, "HTTP/1.1 101", 12)) {
        lose(s, "the upgrade was refused");
        return;
    }
    size_t head = (size_t)(end + 4 - s->in);
    memmove(s->in, s->in + head, s->in_len - head);
    s->in_len -= head;
    s->state = OPEN;
    n_open++;
    read_frames(s);
}

static void readable(Session *s) {
    while (s->state != CLOSED) {
        if (s->in_cap - s->in_len < READ_BYTES) {
            s->in_cap = s->in_len + 2 * READ_BYTES;
            s->in = realloc(s->in, s->in_cap);
        }
        size_t room = s->in_cap - s->in_len;
        ssize_t n = recv(s->fd, s->in + s->in_len, room, MSG_DONTWAIT);
        if (n < 0 && errno == EAGAIN) return;
        if (n <= 0) {
            lose(s, n ? strerror(errno) : "the connection ended");
            return;
        }
        s->in_len += (size_t)n;
        if (s->state == UPGRADING) read_upgrade(s);
        else read_frames(s);
        if ((size_t)n < room) return;
    }
}

static void connect_one(Session *s) {
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    s->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    int one = 1;
    setsockopt(s->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (connect(s->fd, (struct sockaddr *)&to, sizeof to) < 0 && errno != EINPROGRESS) fail("connect");
    s->audio_at = (size_t)(s - sessions) * 37 % audio_frames;
    struct epoll_event e = {.events = EPOLLIN | EPOLLOUT, .data.u32 = (uint32_t)(s - sessions)};
    epoll_ctl(epoll_fd, EPOLL_CTL_ADD, s->fd, &e);
}

static void connected(Session *s) {
    char request[1024];
    int n = snprintf(request, sizeof request,
                     "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                     "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n%s%s\r\n",
                     path, port, header, *header ? "\r\n" : "");
    if (n >= (int)sizeof request) fail("--path or --header is too long");
    s->state = UPGRADING;
    put(s, request, (size_t)n);
    watch(s);
}

/* ---- the run ---- */

static void load_audio(void) {
    FILE *file = fopen(audio_file, "rb");
    if (!file) fail(audio_file);
    fseek(file, 0, SEEK_END);
    size_t size = (size_t)ftell(file);
    rewind(file);
    frame_bytes = (size_t)frame_ms * BYTES_PER_MS;
    frame_chars = frame_bytes / 3 * 4;
    audio_frames = size / frame_bytes;
    unsigned char *pcm = malloc(size + 1);
    if (!audio_frames || fread(pcm, 1, size, file) != size) fail("the audio is shorter than a frame");
    audio = malloc(audio_frames * frame_chars);
    encode(pcm, audio_frames * frame_bytes, audio);
    free(pcm);
    fclose(file);
}

static void load_setup(void) {
    FILE *file = fopen(setup_file, "r");
    if (!file) fail(setup_file);
    size_t room = 0;
    ssize_t n;
    while (n_setup < MAX_SETUP && (n = getline(&setup[n_setup], &room, file)) > 1) {
        setup[n_setup][n - 1] = 0;
        n_setup++;
        room = 0;
    }
    fclose(file);
}

static double cpu_seconds(void) {
    struct rusage r;
    getrusage(RUSAGE_SELF, &r);
    return (double)(r.ru_utime.tv_sec + r.ru_stime.tv_sec) + (double)(r.ru_utime.tv_usec + r.ru_stime.tv_usec) / 1e6;
}

static void wake_at(int timer, uint64_t ns) {
    struct itimerspec when = {.it_value = {(time_t)(ns / 1000000000u), (long)(ns % 1000000000u)}};
    timerfd_settime(timer, TFD_TIMER_ABSTIME, &when, NULL);
}

static void options(int argc, char **argv) {
    for (int i = 1; i < argc; i++) {
        const char *name = argv[i], *value = i + 1 < argc ? argv[i + 1] : "";
        if (!strcmp(name, "--stamp")) {
            with_stamps = 1;
            continue;
        }
        if (!strcmp(name, "--port")) port = atoi(value);
        else if (!strcmp(name, "--sessions")) n_sessions = atoi(value);
        else if (!strcmp(name, "--seconds")) seconds = atof(value);
        else if (!strcmp(name, "--warm")) warm = atof(value);
        else if (!strcmp(name, "--path")) path = value;
        else if (!strcmp(name, "--setup")) setup_file = value;
        else if (!strcmp(name, "--audio")) audio_file = value;
        else if (!strcmp(name, "--header")) header = value;
        else if (!strcmp(name, "--frame-ms")) frame_ms = atoi(value);
        else {
            fprintf(stderr, "load: unknown option %s\n", name);
            exit(2);
        }
        i++;
    }
}

static void report(double took, double cpu) {
    printf("{\"seconds\":%.3f,\"sent\":%lu,\"received\":%lu,\"messages\":%lu,\"bytes\":%lu,\"lost\":%d,", took, n_sent,
           n_received, n_messages, bytes_received, n_lost);
    print_samples("up", &up);
    print_samples("down", &down);
    printf("\"cpu_ms\":%.1f}\n", cpu * 1000);
}

static uint64_t began_at, frame_number, measure_from, measure_to;
static double cpu_before;

static void begin(void) {
    for (int i = 0; i < n_sessions; i++)
        for (size_t j = 0; j < n_setup; j++) send_frame(&sessions[i], 1, setup[j], strlen(setup[j]));
    began_at = now_ns();
    measure_from = began_at + (uint64_t)(warm * 1e9);
    measure_to = measure_from + (uint64_t)(seconds * 1e9);
}

/* Send what is due, and return when something is due again. */
static uint64_t stream(void) {
    const uint64_t frame_ns = (uint64_t)frame_ms * 1000000u;
    uint64_t due, now = now_ns();
    while ((due = began_at + frame_number * frame_ns / (uint64_t)n_sessions) <= now) {
        Session *s = &sessions[frame_number++ % (uint64_t)n_sessions];
        if (s->state == OPEN) send_audio(s);
    }
    now = now_ns();
    if (!is_measuring && measure_from && now >= measure_from) {
        puts("measuring");
        is_measuring = 1;
        cpu_before = cpu_seconds();
        measure_from = 0;
    } else if (is_measuring && now >= measure_to) {
        is_measuring = 0;
        puts("measured");
        report(seconds + (double)(now - measure_to) / 1e9, cpu_seconds() - cpu_before);
    }
    return due;
}

int main(int argc, char **argv) {
    options(argc, argv);
    signal(SIGPIPE, SIG_IGN);
    setvbuf(stdout, NULL, _IOLBF, 0);
    load_audio();
    if (*setup_file) load_setup();
    sessions = calloc((size_t)n_sessions, sizeof *sessions);
    if (frame_ms < 1 || frame_ms > MAX_FRAME_MS) fail("--frame-ms");
    up.room = down.room = (size_t)(n_sessions * 60.0 * (seconds + 1)) + 1000;
    up.values = malloc(up.room * sizeof *up.values);
    down.values = malloc(down.room * sizeof *down.values);
    epoll_fd = epoll_create1(0);
    int timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
    struct epoll_event e = {.events = EPOLLIN, .data.u32 = (uint32_t)TIMER};
    epoll_ctl(epoll_fd, EPOLL_CTL_ADD, timer, &e);
    e.data.u32 = (uint32_t)INPUT;
    epoll_ctl(epoll_fd, EPOLL_CTL_ADD, STDIN_FILENO, &e);

    int started = 0, told = 0;
    for (;;) {
        while (started < n_sessions && started < n_open + n_lost + OPENING) connect_one(&sessions[started++]);
        if (!told && n_open + n_lost == n_sessions) {
            puts("open");
            told = 1;
        }
        if (n_lost > n_sessions / 2) return 1;
        if (began_at) wake_at(timer, stream());
        struct epoll_event events[256];
        int n = epoll_wait(epoll_fd, events, 256, -1);
        for (int i = 0; i < n; i++) {
            int which = (int)events[i].data.u32;
            if (which == TIMER) {
                uint64_t times;
                (void)!read(timer, &times, sizeof times);
            } else if (which == INPUT) {
                char line[64];
                if (read(STDIN_FILENO, line, sizeof line) <= 0) return 0;
                if (!began_at) begin();
            } else if (sessions[which].state == CONNECTING) {
                if (events[i].events & (EPOLLERR | EPOLLHUP)) lose(&sessions[which], "cannot connect");
                else connected(&sessions[which]);
            } else {
                if (events[i].events & EPOLLOUT) flush(&sessions[which]);
                readable(&sessions[which]);
            }
        }
    }
}
