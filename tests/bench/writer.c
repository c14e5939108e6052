// The app that the benches log: writes lines to stdout as fast as it can, then "SECONDS" to a file, and sleeps.
// usage: writer LINES BYTES-A-LINE LINES-A-WRITE RESULT
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

int main(int argc, char** argv) {
  static char block[4096];
  if (argc != 5) return 64;
  const long lines = atol(argv[1]), bytes = atol(argv[2]), per_write = atol(argv[3]);
  if (bytes < 1 || per_write < 1 || bytes * per_write > (long)sizeof block) return 64;
  memset(block, 'x', sizeof block);
  for (long at = bytes - 1; at < (long)sizeof block; at += bytes) block[at] = '\n';
  const double began = now();
  for (long done = 0; done < lines; done += per_write) {
    for (const char *from = block, *end = block + bytes * per_write; from < end;) {
      const ssize_t n = write(STDOUT_FILENO, from, (size_t)(end - from));
      if (n <= 0) return 74;
      from += n;
    }
  }
  FILE* result = fopen(argv[4], "w");
  if (!result) return 73;
  fprintf(result, "%.6f\n", now() - began);
  fclose(result);
  close(STDOUT_FILENO);  // whoever reads sees the end
  pause();
}
