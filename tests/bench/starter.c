// The app that the benches supervise: appends "PID NANOSECONDS" (monotonic) to the file it is given, and sleeps.
#include <fcntl.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

int main(int argc, char** argv) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  if (argc != 2) return 64;
  char line[64];
  const int size = snprintf(line, sizeof line, "%d %lld\n", getpid(), now.tv_sec * 1000000000LL + now.tv_nsec);
  const int file = open(argv[1], O_WRONLY | O_CREAT | O_APPEND, 0666);
  if (file < 0 || write(file, line, (size_t)size) != size) return 73;
  close(file);
  for (;;) pause();
}
