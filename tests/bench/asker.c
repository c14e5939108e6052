// What the kernel takes for one HTTP probe after the other: connect, ask, read, close. probes.py runs it after berthd was measured.
// usage: asker ADDRESS PORT PATH RATE SECONDS; prints how many were answered and the CPU time in microseconds.
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec + t.tv_nsec / 1e9;
}

static int ask(const struct sockaddr_in* to, const char* request) {
  char answer[4096];
  ssize_t got;
  int is_200 = 0;
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return 0;
  if (connect(fd, (const struct sockaddr*)to, sizeof *to) == 0 && send(fd, request, strlen(request), MSG_NOSIGNAL) > 0) {
    got = recv(fd, answer, sizeof answer, 0);
    is_200 = got > 12 && memcmp(answer + 8, " 200", 4) == 0;
  }
  close(fd);
  return is_200;
}

int main(int argc, char** argv) {
  if (argc != 6) return 2;
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((unsigned short)atoi(argv[2]))};
  char request[512];
  if (inet_pton(AF_INET, argv[1], &to.sin_addr) != 1) return 2;
  snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nconnection: close\r\nhost: %s\r\nuser-agent: asker\r\n\r\n", argv[3], argv[1]);
  const double began = now(), seconds = atof(argv[5]), each = 1 / atof(argv[4]);
  long answered = 0;
  for (double next = began; next < began + seconds; next += each) {
    const double left = next - now();
    if (left > 0) usleep((useconds_t)(left * 1e6));
    answered += ask(&to, request);
  }
  struct rusage used;
  getrusage(RUSAGE_SELF, &used);
  printf("%ld %ld\n", answered, (used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1000000L + used.ru_utime.tv_usec + used.ru_stime.tv_usec);
  return 0;
}
