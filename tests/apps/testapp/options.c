#include "options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void complain(const char* what) {
  fprintf(stderr, "testapp: %s?\n", what);
  exit(64);
}

struct options read_options(int argc, char** argv) {
  struct options o = {.exit_after_ms = -1, .exit_once_current_ms = -1, .exit_code = 1, .slow_ms = 1000, .errors_per_second = -1};
  for (int i = 1; i < argc; ++i) {
    const char* name = argv[i];
    if (!strcmp(name, "--serve")) o.serve = true;
    else if (!strcmp(name, "--never-ready")) o.never_ready = true;
    else if (!strcmp(name, "--ignore-term")) o.ignore_term = true;
    else if (!strcmp(name, "--ignore-socket")) o.ignore_socket = true;
    else if (!strcmp(name, "--close-stdout")) o.close_stdout = true;
    else if (!strcmp(name, "--count-starts")) o.keep_state = true;
    else if (!strcmp(name, "--in-data")) o.in_data = true;
    else if (i + 1 == argc) complain(name);
    else if (!strcmp(name, "--become")) o.become = argv[++i];
    else if (!strcmp(name, "--port")) o.port = argv[++i];
    else if (!strcmp(name, "--never-ready-from")) o.never_ready_from = atoi(argv[++i]);
    else if (!strcmp(name, "--grandchildren")) o.grandchildren = atoi(argv[++i]);
    else if (!strcmp(name, "--lines")) o.lines_per_second = atoi(argv[++i]);
    else if (!strcmp(name, "--errors")) o.errors_per_second = atoi(argv[++i]);
    else if (!strcmp(name, "--flood")) o.flood = atoll(argv[++i]);
    else if (!strcmp(name, "--eat")) o.eat = atoll(argv[++i]);
    else if (!strcmp(name, "--exit-after")) o.exit_after_ms = atoi(argv[++i]);
    else if (!strcmp(name, "--exit-once-current")) o.exit_once_current_ms = atoi(argv[++i]);
    else if (!strcmp(name, "--exit-code")) o.exit_code = atoi(argv[++i]);
    else if (!strcmp(name, "--start-delay")) o.start_delay_ms = atoi(argv[++i]);
    else if (!strcmp(name, "--slow")) o.slow_ms = atoi(argv[++i]);
    else complain(name);
  }
  return o;
}
