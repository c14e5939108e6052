// The app of run_foreman: says that it has begun, writes LINES numbered lines of 100 bytes at RATE lines a second, and sleeps.
// usage: talker WHO LINES RATE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int write_all(const char* from, size_t size) {
  while (size > 0) {
    const ssize_t n = write(STDOUT_FILENO, from, size);
    if (n <= 0) return 0;
    from += n;
    size -= (size_t)n;
  }
  return 1;
}

int main(int argc, char** argv) {
  enum { kLine = 100, kAtOnce = 40 };
  static char block[kLine * kAtOnce + 1];
  if (argc != 4) return 64;
  const long lines = atol(argv[2]);
  const double rate = atof(argv[3]);
  if (!write_all("begun\n", 6)) return 74;
  const double began = now();
  for (long done = 0; done < lines;) {
    int count = 0;
    for (; count < kAtOnce && done < lines; ++count, ++done) {
      char* line = block + count * kLine;
      snprintf(line, kLine, "%s %010ld ", argv[1], done);
      const size_t head = strlen(line);
      memset(line + head, 'x', kLine - head - 1);
      line[kLine - 1] = '\n';
    }
    if (!write_all(block, (size_t)(count * kLine))) return 74;
    const double ahead = (double)done / rate - (now() - began);
    if (ahead > 0.001) {
      const struct timespec pause = {.tv_sec = (time_t)ahead, .tv_nsec = (long)((ahead - (double)(time_t)ahead) * 1e9)};
      nanosleep(&pause, NULL);
    }
  }
  for (;;) pause();
}
