/* A quick Realtime server for a relay to stand in front of: audio for whoever asks for a response, and stamps.
 *
 *     upstream --said FILE [--frame-ms 20]
 *
 * Knows no sessions and reads no JSON.  Prints its address, then serves until it is killed.  FILE holds what it says, an
 * event a line: the first to whoever connects, the second to every `session.update`, the rest to the first
 * `response.create`, which is answered by audio deltas from then on.  Of the audio that comes it reads the stamp alone;
 * what the stamps mean stands in `load.c`.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define PROGRAM "upstream"
#include "stamps.h"

enum { SLOTS = 20, MAX_CLIENTS = 65536, MAX_SAID = 16, READ_BYTES = 256 * 1024, RING = 1024, EVENTS = 256 };
enum { TIMER = -1, LISTENING = -2, TEXT = 1, CLOSE = 8, PING = 9, PONG = 10 };
static const char HEAD[] =
    "{\"type\":\"response.output_audio.delta\",\"event_id\":\"event_0123456789abc00000001\","
    "\"response_id\":\"resp_0123456789abc00000001\",\"item_id\":\"item_0123456789abc00000002\","
    "\"output_index\":0,\"content_index\":0,\"delta\":\"";
static const char TAIL[] = "\"}";

typedef struct {
    int fd, is_open, slot;
    char *in, *out;
    size_t in_len, in_cap, out_len, out_cap;
    uint32_t next; /* in its slot; 0 for none */
} Client;

static int frame_ms = 20;
static const char *said_file = "";
static char *said[MAX_SAID];
static size_t n_said;
static int epoll_fd, slot_sizes[SLOTS];
static Client *clients[MAX_CLIENTS];
static uint32_t slots[SLOTS];
static uint64_t took[RING];
static unsigned took_from, took_to;
static char *delta;
static size_t delta_len;

/* ---- the key of a handshake: SHA-1 (FIPS 180-4) ---- */

static uint32_t rotated(uint32_t x, int n) { return x << n | x >> (32 - n); }

static void sha1_block(uint32_t h[5], const unsigned char *b) {
    uint32_t w[80], a = h[0], c[4] = {h[1], h[2], h[3], h[4]};
    for (int i = 0; i < 16; i++)
        w[i] = (uint32_t)b[4 * i] << 24 | (uint32_t)b[4 * i + 1] << 16 | (uint32_t)b[4 * i + 2] << 8 | b[4 * i + 3];
    for (int i = 16; i < 80; i++) w[i] = rotated(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
    for (int i = 0; i < 80; i++) {
        uint32_t f = i < 20   ? ((c[0] & c[1]) | (~c[0] & c[2])) + 0x5a827999
                     : i < 40 ? (c[0] ^ c[1] ^ c[2]) + 0x6ed9eba1
                     : i < 60 ? ((c[0] & c[1]) | (c[0] & c[2]) | (c[1] & c[2])) + 0x8f1bbcdc
                              : (c[0] ^ c[1] ^ c[2]) + 0xca62c1d6;
        uint32_t t = rotated(a, 5) + f + c[3] + w[i];
        c[3] = c[2], c[2] = c[1], c[1] = rotated(c[0], 30), c[0] = a, a = t;
    }
    h[0] += a;
    for (int i = 0; i < 4; i++) h[i + 1] += c[i];
}

/* Write what answers a Sec-WebSocket-Key of 24 characters (RFC 6455 section 4.2.2), 28 characters. */
static void accept_of(const char *key, char *out) {
    unsigned char text[128] = {0}, digest[21] = {0};
    uint32_t h[5] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0};
    memcpy(text, key, 24);
    memcpy(text + 24, "258EAFA5-E914-47DA-95CA-C5AB0DC85B11", 36);
    text[60] = 0x80;
    text[126] = 60 * 8 >> 8, text[127] = 60 * 8 & 255;
    sha1_block(h, text);
    sha1_block(h, text + 64);
    for (int i = 0; i < 20; i++) digest[i] = (unsigned char)(h[i / 4] >> (24 - 8 * (i % 4)));
    encode(digest, 21, out);
    out[27] = '=';
}

/* ---- sockets ---- */

static void watch(Client *c) {
    struct epoll_event e = {.events = EPOLLIN | (c->out_len ? EPOLLOUT : 0), .data.u32 = (uint32_t)c->fd};
    epoll_ctl(epoll_fd, EPOLL_CTL_MOD, c->fd, &e);
}

static void leave_slot(Client *c) {
    if (c->slot < 0) return;
    uint32_t *at = &slots[c->slot];
    while (*at != (uint32_t)c->fd) at = &clients[*at]->next;
    *at = c->next;
    slot_sizes[c->slot]--;
    c->slot = -1;
}

static void lose(Client *c) {
    leave_slot(c);
    clients[c->fd] = NULL;
    close(c->fd);
    free(c->in);
    free(c->out);
    free(c);
}

/* Send, or queue what does not go; false if the client is gone, which `readable` will notice. */
static void put(Client *c, const char *data, size_t n) {
    ssize_t sent = c->out_len ? 0 : send(c->fd, data, n, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0) sent = 0;
    if ((size_t)sent == n) return;
    size_t rest = n - (size_t)sent;
    if (c->out_len + rest > c->out_cap) {
        c->out_cap = 2 * (c->out_len + rest);
        c->out = realloc(c->out, c->out_cap);
    }
    memcpy(c->out + c->out_len, data + sent, rest);
    c->out_len += rest;
    watch(c);
}

static void flush(Client *c) {
    ssize_t sent = c->out_len ? send(c->fd, c->out, c->out_len, MSG_NOSIGNAL | MSG_DONTWAIT) : 0;
    if (sent <= 0) return;
    memmove(c->out, c->out + sent, c->out_len - (size_t)sent);
    c->out_len -= (size_t)sent;
    if (!c->out_len) watch(c);
}

/* Write the head of a frame before `payload`, where there is room for it, and return how long it is. */
static size_t head_before(char *payload, int opcode, size_t n) {
    size_t size = n < 126 ? 2 : n < 65536 ? 4 : 10;
    char *at = payload - size;
    at[0] = (char)(0x80 | opcode);
    at[1] = (char)(n < 126 ? n : n < 65536 ? 126 : 127);
    for (size_t i = 2; i < size; i++) at[i] = (char)((uint64_t)n >> (8 * (size - 1 - i)));
    return size;
}

static void send_frame(Client *c, int opcode, const char *payload, size_t n) {
    char *frame = malloc(n + 10);
    memcpy(frame + 10, payload, n);
    size_t head = head_before(frame + 10, opcode, n);
    put(c, frame + 10 - head, head + n);
    free(frame);
}

static void say(Client *c, size_t which) {
    if (which < n_said) send_frame(c, TEXT, said[which], strlen(said[which]));
}

/* ---- what clients say ---- */

static void note_arrival(const char *text, size_t n) {
    const char *found = memmem(text, n < 300 ? n : 300, "\"audio\":", 8);
    unsigned char stamp[STAMP_BYTES];
    if (!found || !(found = memchr(found + 8, '"', 4)) || found + 1 + STAMP_CHARS > text + n) return;
    uint64_t sent, now = now_ns();
    if (!decode(found + 1, STAMP_CHARS, stamp)) return;
    memcpy(&sent, stamp, 8);
    if (sent && sent < now && now - sent < 10000000000u) took[took_to++ % RING] = now - sent;
    if (took_to - took_from > RING) took_from = took_to - RING;
}

static void answer(Client *c) {
    if (c->slot >= 0) return;
    for (size_t i = 2; i < n_said; i++) say(c, i);
    c->slot = 0;
    for (int i = 1; i < SLOTS; i++)
        if (slot_sizes[i] < slot_sizes[c->slot]) c->slot = i;
    c->next = slots[c->slot];
    slots[c->slot] = (uint32_t)c->fd;
    slot_sizes[c->slot]++;
}

static void receive_message(Client *c, const char *text, size_t n) {
    size_t start = n < 100 ? n : 100;
    if (memmem(text, start, "input_audio_buffer.append", 25)) note_arrival(text, n);
    else if (memmem(text, start, "session.update", 14)) say(c, 1);
    else if (memmem(text, start, "response.create", 15)) answer(c);
}

/* Read one frame at `at`; return its length, 0 if more is to come, -1 if the client takes its leave. */
static ssize_t read_frame(Client *c, size_t at) {
    unsigned char *b = (unsigned char *)c->in + at;
    size_t have = c->in_len - at, head = 6;
    if (have < 2) return 0;
    uint64_t n = b[1] & 127;
    if (n >= 126) {
        size_t size = n == 126 ? 2 : 8;
        head += size;
        if (have < head) return 0;
        n = 0;
        for (size_t i = 2; i < 2 + size; i++) n = n << 8 | b[i];
    }
    if (have < head + n) return 0;
    char *payload = (char *)b + head;
    uint64_t word, wide;
    uint32_t mask;
    memcpy(&mask, payload - 4, 4);
    wide = (uint64_t)mask << 32 | mask;
    size_t i = 0;
    for (; i + 8 <= n; i += 8) {
        memcpy(&word, payload + i, 8);
        word ^= wide;
        memcpy(payload + i, &word, 8);
    }
    for (; i < n; i++) payload[i] ^= ((char *)&mask)[i & 3];
    switch (b[0] & 15) {
    case TEXT: receive_message(c, payload, n); break;
    case PING: send_frame(c, PONG, payload, n); break;
    case CLOSE: send_frame(c, CLOSE, payload, n < 2 ? n : 2); return -1;
    }
    return (ssize_t)(head + n);
}

/* Answer a handshake once it is whole; false if it is none. */
static int shake_hands(Client *c) {
    char *end = memmem(c->in, c->in_len, "\r\n\r\n", 4), response[256], accept[29] = "";
    if (!end) return c->in_len < 16384;
    *end = 0;
    char *key = strcasestr(c->in, "sec-websocket-key:");
    if (!key) return 0;
    key += 18;
    key += strspn(key, " ");
    if (strcspn(key, "\r") < 24) return 0;
    accept_of(key, accept);
    int n = snprintf(response, sizeof response,
                     "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                     "Sec-WebSocket-Accept: %s\r\n\r\n",
                     accept);
    put(c, response, (size_t)n);
    c->in_len -= (size_t)(end + 4 - c->in);
    memmove(c->in, end + 4, c->in_len);
    c->is_open = 1;
    say(c, 0);
    return 1;
}

static void readable(Client *c) {
    for (;;) {
        if (c->in_cap - c->in_len < 16384) {
            c->in_cap = c->in_len + (c->in_cap ? READ_BYTES : 32768);
            c->in = realloc(c->in, c->in_cap);
        }
        size_t room = c->in_cap - c->in_len;
        ssize_t n = recv(c->fd, c->in + c->in_len, room, MSG_DONTWAIT), size = 1;
        if (n < 0 && errno == EAGAIN) return;
        if (n <= 0) {
            lose(c);
            return;
        }
        c->in_len += (size_t)n;
        if (!c->is_open && !shake_hands(c)) {
            lose(c);
            return;
        }
        size_t at = 0;
        while (c->is_open && (size = read_frame(c, at)) > 0) at += (size_t)size;
        if (size < 0) {
            lose(c);
            return;
        }
        memmove(c->in, c->in + at, c->in_len - at);
        c->in_len -= at;
        if ((size_t)n < room) return;
    }
}

static void greet(int listening) {
    int fd, one = 1;
    while ((fd = accept4(listening, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
        if (fd >= MAX_CLIENTS) fail("too many clients");
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        Client *c = clients[fd] = calloc(1, sizeof *c);
        c->fd = fd;
        c->slot = -1;
        struct epoll_event e = {.events = EPOLLIN, .data.u32 = (uint32_t)fd};
        epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &e);
    }
}

/* ---- what it says ---- */

static void make_delta(void) {
    size_t chars = (size_t)frame_ms * BYTES_PER_MS / 3 * 4;
    delta_len = sizeof HEAD - 1 + chars + sizeof TAIL - 1;
    delta = (char *)malloc(delta_len + 10) + 10;
    memcpy(delta, HEAD, sizeof HEAD - 1);
    memset(delta + sizeof HEAD - 1, 'A', chars);
    memcpy(delta + delta_len - (sizeof TAIL - 1), TAIL, sizeof TAIL - 1);
}

static void speak(int slot) {
    for (uint32_t fd = slots[slot]; fd; fd = clients[fd]->next) {
        unsigned char stamp[STAMP_BYTES] = {0};
        uint64_t now = now_ns(), other = took_from != took_to ? took[took_from++ % RING] : 0;
        memcpy(stamp, &now, 8);
        memcpy(stamp + 8, &other, 8);
        encode(stamp, STAMP_BYTES, delta + sizeof HEAD - 1);
        size_t head = head_before(delta, TEXT, delta_len);
        put(clients[fd], delta - head, head + delta_len);
    }
}

static void load_said(void) {
    FILE *file = fopen(said_file, "r");
    if (!file) fail(said_file);
    size_t room = 0;
    ssize_t n;
    while (n_said < MAX_SAID && (n = getline(&said[n_said], &room, file)) > 1) {
        said[n_said++][n - 1] = 0;
        room = 0;
    }
    fclose(file);
}

static int listening_socket(void) {
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof at;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&at, size) || listen(fd, 1024)) fail("listen");
    getsockname(fd, (struct sockaddr *)&at, &size);
    printf("ws://127.0.0.1:%d/v1\n", ntohs(at.sin_port));
    fflush(stdout);
    return fd;
}

static void options(int argc, char **argv) {
    for (int i = 1; i + 1 < argc; i += 2) {
        if (!strcmp(argv[i], "--said")) said_file = argv[i + 1];
        else if (!strcmp(argv[i], "--frame-ms")) frame_ms = atoi(argv[i + 1]);
    }
    if (frame_ms < 1 || frame_ms > MAX_FRAME_MS) fail("--frame-ms");
}

int main(int argc, char **argv) {
    options(argc, argv);
    signal(SIGPIPE, SIG_IGN);
    load_said();
    make_delta();
    epoll_fd = epoll_create1(0);
    int listening = listening_socket(), timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
    long ns = frame_ms * 1000000L / SLOTS;
    struct itimerspec every = {{ns / 1000000000, ns % 1000000000}, {ns / 1000000000, ns % 1000000000}};
    timerfd_settime(timer, 0, &every, NULL);
    struct epoll_event e = {.events = EPOLLIN, .data.u32 = (uint32_t)TIMER};
    epoll_ctl(epoll_fd, EPOLL_CTL_ADD, timer, &e);
    e.data.u32 = (uint32_t)LISTENING;
    epoll_ctl(epoll_fd, EPOLL_CTL_ADD, listening, &e);
    uint64_t ticks = 0, times;
    for (;;) {
        struct epoll_event events[EVENTS];
        int n = epoll_wait(epoll_fd, events, EVENTS, -1);
        for (int i = 0; i < n; i++) {
            int which = (int)events[i].data.u32;
            if (which == TIMER) {
                if (read(timer, &times, sizeof times) == sizeof times)
                    while (times--) speak((int)(ticks++ % SLOTS));
            } else if (which == LISTENING) {
                greet(listening);
            } else if (clients[which]) {
                if (events[i].events & EPOLLOUT) flush(clients[which]);
                readable(clients[which]);
            }
        }
    }
}
