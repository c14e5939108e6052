// An app for tests that serves, prints, and misbehaves on demand; what it can do is in options.h.
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "options.h"
#include "server.h"

static volatile sig_atomic_t told_to_stop = 0;
static void stop(int signal) { (void)signal; told_to_stop = 1; }

static volatile sig_atomic_t told_to_become = 0;
static void become(int signal) { (void)signal; told_to_become = 1; }

static long long now_ms(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000LL + t.tv_nsec / 1000000;
}

static void set_signals(const struct options* options) {
  struct sigaction action = {.sa_handler = options->ignore_term ? SIG_IGN : stop};
  sigaction(SIGTERM, &action, NULL);
  sigaction(SIGQUIT, &action, NULL);
  if (options->become) {
    action.sa_handler = become;
    sigaction(SIGUSR1, &action, NULL);
  }
  signal(SIGPIPE, SIG_IGN);
}

/// Grandchildren whose parent is gone, in a session of their own: what a stop must find and end as well.
static void fork_grandchildren(int count) {
  for (int i = 0; i < count; ++i) {
    if (fork() != 0) continue;
    setsid();
    if (fork() != 0) _exit(0);
    signal(SIGTERM, SIG_IGN);
    for (;;) pause();
  }
}

static void note_start(void) {
  const char* data = getenv("BERTH_DATA_DIR");
  const char* release = getenv("BERTH_RELEASE");
  char path[4096];
  snprintf(path, sizeof path, "%s/starts.log", data ? data : ".");
  FILE* file = fopen(path, "a");
  if (!file) exit(73);
  fprintf(file, "%s %d\n", release ? release : "none", getpid());
  fclose(file);
}

static void flood(long long bytes) {
  static char block[65536];
  memset(block, 'x', sizeof block);
  while (bytes > 0) {
    const size_t size = bytes < (long long)sizeof block ? (size_t)bytes : sizeof block;
    const ssize_t n = write(STDOUT_FILENO, block, size);
    if (n <= 0) return;
    bytes -= n;
  }
}

/// Prints the lines that are due; returns in how many milliseconds the next one is.
static int print_due_lines(const struct options* options, long long began, long long* printed) {
  if (options->lines_per_second <= 0) return 1000;
  const long long due = (now_ms() - began) * options->lines_per_second / 1000;
  while (*printed < due) {
    char line[64];
    const int size = snprintf(line, sizeof line, "line %lld\n", ++*printed);
    if (write(STDOUT_FILENO, line, (size_t)size) != size) exit(74);  // whoever reads our lines is gone: the very thing tests look for
  }
  return 1000 / options->lines_per_second + 1;
}

/// Whether `current` of its app names the release that this is an instance of.
static bool is_current(void) {
  const char* data = getenv("BERTH_DATA_DIR");
  const char* release = getenv("BERTH_RELEASE");
  char path[4096], target[4096];
  snprintf(path, sizeof path, "%s/../current", data ? data : ".");
  const ssize_t size = readlink(path, target, sizeof target - 1);
  if (size < 0 || !release) return false;
  target[size] = 0;
  const char* name = strrchr(target, '/');
  return !strcmp(name ? name + 1 : target, release);
}

/// Whether it is time to end by itself.
static bool is_over(const struct options* options, long long began, long long* current_since) {
  if (options->exit_after_ms >= 0 && now_ms() - began >= options->exit_after_ms) return true;
  if (options->exit_once_current_ms < 0) return false;
  if (*current_since < 0 && is_current()) *current_since = now_ms();
  return *current_since >= 0 && now_ms() - *current_since >= options->exit_once_current_ms;
}

static int run(const struct options* options) {
  const int listener = options->serve ? listening_socket(options) : -1;
  const long long began = now_ms();
  long long printed = 0, current_since = -1;
  while (!told_to_stop) {
    if (is_over(options, began, &current_since)) {
      fprintf(stderr, "testapp: ends by itself with %d\n", options->exit_code);
      return options->exit_code;
    }
    if (told_to_become) execl(options->become, options->become, "1000", (char*)NULL);
    int wait = print_due_lines(options, began, &printed);
    if (wait > 50) wait = 50;
    struct pollfd one = {.fd = listener, .events = POLLIN};
    if (poll(&one, listener >= 0 ? 1 : 0, wait) > 0) answer_one(listener, options);
  }
  if (options->lines_per_second > 0) {
    char line[64];
    const int size = snprintf(line, sizeof line, "printed %lld lines\n", printed);
    if (write(STDOUT_FILENO, line, (size_t)size) != size) return 74;
  }
  return 0;
}

int main(int argc, char** argv) {
  const struct options options = read_options(argc, argv);
  set_signals(&options);
  if (options.in_data && chdir(getenv("BERTH_DATA_DIR")) != 0) return 73;
  if (options.keep_state) note_start();
  if (options.close_stdout) close(STDOUT_FILENO);
  fork_grandchildren(options.grandchildren);
  if (options.start_delay_ms > 0) usleep((useconds_t)options.start_delay_ms * 1000);
  if (options.eat > 0) eat(options.eat);
  if (options.flood > 0) flood(options.flood);
  return run(&options);
}
