#include "server.h"

#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

int listening_socket(const struct options* options) {
  if (options->ignore_socket) return -1;
  const char* passed = getenv("LISTEN_FDS");
  if (passed && atoi(passed) > 0) return 3;
  if (!options->port) return -1;

  const int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int one = 1, zero = 0;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &zero, sizeof zero);
  struct sockaddr_in6 address = {.sin6_family = AF_INET6, .sin6_port = htons((unsigned short)atoi(options->port))};
  if (bind(fd, (struct sockaddr*)&address, sizeof address) != 0 || listen(fd, 1024) != 0) {
    fprintf(stderr, "testapp: cannot listen on port %s\n", options->port);
    exit(70);
  }
  return fd;
}

/// 3 of "web/web.3"; 0 where that is not known.
static int instance_number(void) {
  const char* name = getenv("BERTH_INSTANCE");
  const char* dot = name ? strrchr(name, '.') : NULL;
  return dot ? atoi(dot + 1) : 0;
}

static int is_unready(const struct options* options) {
  if (options->never_ready) return 1;
  if (options->never_ready_from > 0 && instance_number() >= options->never_ready_from) return 1;
  const char *data = getenv("BERTH_DATA_DIR"), *release = getenv("BERTH_RELEASE");
  char path[4096], path_of_release[4096];
  snprintf(path, sizeof path, "%s/unready", data ? data : "");
  snprintf(path_of_release, sizeof path_of_release, "%s/unready.%s", data ? data : "", release ? release : "");
  return access(path, F_OK) == 0 || access(path_of_release, F_OK) == 0;
}

static void send_answer(int fd, int status, const char* body) {
  const char* release = getenv("BERTH_RELEASE");
  char text[8192];
  const int size = snprintf(text, sizeof text,
                            "HTTP/1.1 %d %s\r\nX-Release: %s\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n%s", status,
                            status == 200 ? "OK" : "No", release ? release : "none", strlen(body), body);
  if (size < 0 || send(fd, text, (size_t)size < sizeof text ? (size_t)size : sizeof text - 1, MSG_NOSIGNAL) < 0) return;
}

/// Reads up to the end of the head; 0 when the peer left or was too slow.
static int read_head(int fd, char* head, size_t room) {
  size_t have = 0;
  while (have + 1 < room) {
    const ssize_t n = recv(fd, head + have, room - 1 - have, 0);
    if (n <= 0) return 0;
    have += (size_t)n;
    head[have] = 0;
    if (strstr(head, "\r\n\r\n")) return 1;
  }
  return 0;
}

void eat(long long bytes) {
  for (const size_t piece = 1 << 20; bytes > 0; bytes -= (long long)piece) {
    char* food = malloc(piece);
    if (!food) return;
    memset(food, 1, piece);  // untouched memory is nobody's
  }
}

/// As many children as there may be; they end by SIGTERM. What came of it.
static void fork_all(int connection, char* text, size_t room) {
  const int enough = 1000;
  int forked = 0, error = 0;
  while (forked < enough && error == 0) {
    const pid_t child = fork();
    if (child == 0) {
      signal(SIGTERM, SIG_DFL);
      close(connection);
      for (;;) pause();
    }
    if (child > 0) ++forked;
    else error = errno;
  }
  snprintf(text, room, "forked %d times, then: %s", forked, error ? strerror(error) : "enough");
  fprintf(stderr, "testapp: %s\n", text);
}

/// Since the first time that it was asked.
static double seconds_up(void) {
  static struct timespec began;
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  if (began.tv_sec == 0) began = now;
  return (double)(now.tv_sec - began.tv_sec) + (double)(now.tv_nsec - began.tv_nsec) / 1e9;
}

static void answer_to(int fd, const char* path, const struct options* options) {
  char text[256];
  const double up = seconds_up();
  if (!strcmp(path, "/healthz")) {
    const int unready = is_unready(options);
    send_answer(fd, unready ? 503 : 200, unready ? "unready" : "ok");
  } else if (!strcmp(path, "/slow")) {
    usleep((useconds_t)options->slow_ms * 1000);
    send_answer(fd, 200, "slow");
  } else if (!strcmp(path, "/eat")) {
    eat(1LL << 30);
    send_answer(fd, 200, "full");
  } else if (!strcmp(path, "/fork")) {
    fork_all(fd, text, sizeof text);
    send_answer(fd, 200, text);
  } else if (!strcmp(path, "/metrics") && options->errors_per_second >= 0) {
    const double errors = up * options->errors_per_second;
    snprintf(text, sizeof text, "# TYPE errors_total counter\nerrors_total{code=\"500\"} %.3f\nerrors_total{code=\"503\"} 7\n", errors);
    send_answer(fd, 200, text);
  } else if (!strcmp(path, "/pid")) {
    snprintf(text, sizeof text, "%d", getpid());
    send_answer(fd, 200, text);
  } else if (!strncmp(path, "/env/", 5)) {
    const char* value = getenv(path + 5);
    send_answer(fd, value ? 200 : 404, value ? value : "");
  } else {
    const char* release = getenv("BERTH_RELEASE");
    send_answer(fd, 200, release ? release : "none");
  }
}

void answer_one(int listener, const struct options* options) {
  const int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
  if (fd < 0) return;
  const struct timeval limit = {.tv_sec = 2};
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  char head[8192], path[1024];
  if (read_head(fd, head, sizeof head) && sscanf(head, "%*15s %1023s", path) == 1) answer_to(fd, path, options);
  shutdown(fd, SHUT_WR);
  close(fd);
}
