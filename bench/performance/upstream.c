/* A fast stand-in for the Jina API: upstream PORT MILLISECONDS [VALUES].
 *
 * POST /…/embeddings: a vector of VALUES floats for each input, as base64 where the body asks for it, else as JSON.
 * POST /…/rerank: a score for each document. Each answer depends on its text (FNV-1a), so that a wrong one is seen.
 * GET /count: calls and inputs so far. One thread, epoll; every answer leaves MILLISECONDS after its request came.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define VARIANTS 16 /* different vectors; performance/upstream.py knows how they are made */

typedef struct { char *at; size_t used, room; } Buffer;
typedef struct Connection {
  int fd, closed, waiting;
  Buffer in, out;
  size_t sent;
  int64_t due;
  struct Connection *next;
} Connection;

static Buffer floats[VARIANTS], coded[VARIANTS];
static int64_t delay;
static unsigned long calls, inputs;
static int poller, timer;
static Connection *first, *last; /* of the answers that wait: all wait equally long, so they leave as they came */

static int64_t now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static void need(Buffer *b, size_t more) {
  if (b->used + more <= b->room) return;
  b->room = (b->used + more) * 2;
  if (!(b->at = realloc(b->at, b->room))) abort();
}

static void add(Buffer *b, const char *text, size_t size) {
  need(b, size);
  memcpy(b->at + b->used, text, size);
  b->used += size;
}

#define FORMAT(b, ...) do { need(b, 512); (b)->used += snprintf((b)->at + (b)->used, 512, __VA_ARGS__); } while (0)

static void encode(Buffer *b, const unsigned char *bytes, size_t size) {
  static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  add(b, "\"", 1);
  for (size_t i = 0; i < size; i += 3) {
    uint32_t v = bytes[i] << 16 | (i + 1 < size ? bytes[i + 1] << 8 : 0) | (i + 2 < size ? bytes[i + 2] : 0);
    char four[4] = {digits[v >> 18], digits[v >> 12 & 63], i + 1 < size ? digits[v >> 6 & 63] : '=',
                    i + 2 < size ? digits[v & 63] : '='};
    add(b, four, 4);
  }
  add(b, "\"", 1);
}

static void make_vectors(int values) {
  float *row = malloc(values * sizeof *row);
  for (int k = 0; k < VARIANTS; k++) {
    uint32_t state = k + 1;
    add(&floats[k], "[", 1);
    for (int i = 0; i < values; i++) {
      state = state * 1664525u + 1013904223u;
      row[i] = ((int32_t)(state >> 8) - (1 << 23)) / 268435456.0f; /* exact in a float32, of magnitude 1/32 */
      FORMAT(&floats[k], "%s%.17g", i ? "," : "", row[i] * 1.0000000123);
    }
    add(&floats[k], "]", 1);
    encode(&coded[k], (unsigned char *)row, values * sizeof *row);
  }
  free(row);
}

/* Past one JSON string or object, whose bytes go into *hash. */
static const char *value(const char *p, const char *end, uint32_t *hash) {
  int quoted = 0, depth = 0;
  for (; p < end; p++) {
    if (!quoted && (*p == '{' || *p == '[')) depth++;
    if (!quoted && (*p == '}' || *p == ']')) depth--;
    int quote = *p == '"';
    if (quote) quoted = !quoted;
    if (!quote) *hash = (*hash ^ (unsigned char)*p) * 16777619u;
    if (quoted && *p == '\\' && p + 1 < end) *hash = (*hash ^ (unsigned char)*++p) * 16777619u;
    if (!quoted && !depth) return p + 1;
  }
  return end;
}

static void answer_one(Buffer *b, int rerank, int base64, unsigned at, uint32_t hash) {
  if (rerank) {
    FORMAT(b, "%s{\"index\":%u,\"relevance_score\":%.6f}", at ? "," : "", at, hash % 1000000 / 1e6);
    return;
  }
  Buffer *vector = base64 ? &coded[hash % VARIANTS] : &floats[hash % VARIANTS];
  FORMAT(b, "%s{\"object\":\"embedding\",\"index\":%u,\"embedding\":", at ? "," : "", at);
  add(b, vector->at, vector->used);
  add(b, "}", 1);
}

static void answer(Connection *c, const char *body, const char *end, const char *path) {
  static Buffer made;
  made.used = 0;
  if (!strncmp(path, "GET", 3)) {
    FORMAT(&made, "%lu %lu", calls, inputs);
  } else {
    size_t size = end - body;
    int rerank = memmem(body, size, "\"documents\":", 12) != NULL;
    int base64 = memmem(body, size, "\"base64\"", 8) != NULL;
    const char *p = memmem(body, size, rerank ? "\"documents\":" : "\"input\":", rerank ? 12 : 8);
    const char *model = memmem(body, size, "\"model\":", 8), *stop = NULL;
    if (model && (model = memchr(model + 8, '"', end - model - 8))) stop = memchr(model + 1, '"', end - model - 1);
    FORMAT(&made, "{\"model\":\"%.*s\",\"object\":\"list\",\"%s\":[", stop ? (int)(stop - model - 1) : 0,
           stop ? model + 1 : "", rerank ? "results" : "data");
    unsigned count = 0;
    p = p ? p + (rerank ? 12 : 8) : end;
    while (p < end && *p == ' ') p++;
    int single = p < end && *p != '[';
    for (p += !single; p < end && *p != ']';) {
      if (*p == ',' || *p == ' ') { p++; continue; }
      uint32_t hash = 2166136261u;
      p = value(p, end, &hash);
      answer_one(&made, rerank, base64, count++, hash);
      if (single) break;
    }
    FORMAT(&made, "],\"usage\":{\"total_tokens\":%u,\"prompt_tokens\":%u}}", count * 10, count * 10);
    calls++;
    inputs += count;
  }
  FORMAT(&c->out, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n", made.used);
  add(&c->out, made.at, made.used);
}

static void watch(Connection *c, uint32_t events) {
  struct epoll_event event = {.events = events, .data.ptr = c};
  epoll_ctl(poller, EPOLL_CTL_MOD, c->fd, &event);
}

static void drop(Connection *c) {
  if (!c->closed) close(c->fd);
  c->closed = 1;
  if (c->waiting) return; /* freed when its time comes */
  free(c->in.at);
  free(c->out.at);
  free(c);
}

static int flush(Connection *c) {
  while (c->sent < c->out.used) {
    ssize_t n = send(c->fd, c->out.at + c->sent, c->out.used - c->sent, MSG_NOSIGNAL);
    if (n < 0 && errno == EAGAIN) { watch(c, EPOLLIN | EPOLLOUT); return 1; }
    if (n < 0) { drop(c); return 0; }
    c->sent += n;
  }
  if (c->sent) watch(c, EPOLLIN);
  c->sent = c->out.used = 0;
  return 1;
}

static void arm(void) {
  struct itimerspec when = {.it_value = {.tv_nsec = 0}};
  if (first) when.it_value = (struct timespec){first->due / 1000000000LL, first->due % 1000000000LL};
  timerfd_settime(timer, TFD_TIMER_ABSTIME, &when, NULL);
}

static void leave(void) {
  uint64_t rung;
  if (read(timer, &rung, sizeof rung) < 0 && errno != EAGAIN) abort();
  for (int64_t t = now(); first && first->due <= t;) {
    Connection *c = first;
    first = c->next;
    c->waiting = 0;
    if (c->closed) drop(c); else flush(c);
  }
  arm();
}

/* One whole request in the buffer: its size, 0 while bytes are missing. A chunked body is put together in place. */
static size_t whole(Connection *c, char **body, char **end) {
  need(&c->in, 1);
  c->in.at[c->in.used] = 0;
  char *head = memmem(c->in.at, c->in.used, "\r\n\r\n", 4);
  if (!head) return 0;
  *head = 0;
  char *length = strcasestr(c->in.at, "\r\ncontent-length:");
  int chunked = strcasestr(c->in.at, "\r\ntransfer-encoding: chunked") != NULL;
  *head = '\r';
  *body = *end = head + 4;
  char *limit = c->in.at + c->in.used;
  if (!chunked) {
    *end += length && length < head ? strtoul(length + 17, NULL, 10) : 0;
    return *end <= limit ? *end - c->in.at : 0;
  }
  if (c->in.used < 5 || memcmp(limit - 5, "0\r\n\r\n", 5)) return 0; /* nobody here pipelines */
  for (char *p = *body; p < limit;) {
    size_t size = strtoul(p, &p, 16);
    memmove(*end, p + 2, size);
    *end += size;
    p += 2 + size + 2;
    if (!size) break;
  }
  return c->in.used;
}

static void receive(Connection *c) {
  need(&c->in, 65536);
  ssize_t n = recv(c->fd, c->in.at + c->in.used, c->in.room - c->in.used - 1, 0);
  if (n < 0 && errno == EAGAIN) return;
  if (n <= 0) { drop(c); return; }
  c->in.used += n;
  char *body, *end;
  size_t size;
  while (!c->waiting && (size = whole(c, &body, &end))) {
    answer(c, body, end, c->in.at);
    memmove(c->in.at, c->in.at + size, c->in.used -= size);
    if (!delay) {
      if (!flush(c)) return;
      continue;
    }
    c->due = now() + delay;
    c->waiting = 1;
    c->next = NULL;
    if (first) last->next = c; else first = c;
    last = c;
    if (first == c) arm();
  }
}

int main(int count, char **given) {
  if (count < 3) return 2;
  delay = atol(given[2]) * 1000000LL;
  make_vectors(count > 3 ? atoi(given[3]) : 1024);
  int on = 1, listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(atoi(given[1])),
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (bind(listener, (void *)&address, sizeof address) || listen(listener, 4096)) { perror("upstream"); return 1; }
  poller = epoll_create1(0);
  timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = &listener};
  epoll_ctl(poller, EPOLL_CTL_ADD, listener, &event);
  event.data.ptr = &timer;
  epoll_ctl(poller, EPOLL_CTL_ADD, timer, &event);
  for (struct epoll_event events[256];;) {
    int ready = epoll_wait(poller, events, 256, -1), rung = 0;
    for (int i = 0; i < ready; i++) {
      void *what = events[i].data.ptr;
      if (what == &timer) { rung = 1; continue; } /* last: it may free connections that are in `events` */
      if (what == &listener) {
        int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
        if (fd < 0) continue;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        Connection *c = calloc(1, sizeof *c);
        c->fd = fd;
        struct epoll_event joined = {.events = EPOLLIN, .data.ptr = c};
        epoll_ctl(poller, EPOLL_CTL_ADD, fd, &joined);
        continue;
      }
      Connection *c = what;
      if (events[i].events & EPOLLOUT && !flush(c)) continue;
      if (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) receive(c);
    }
    if (rung) leave();
  }
}
