#pragma once

#include "options.h"

/// The socket to serve on: the first that was passed (LISTEN_FDS), else one on `--port`; -1 where there is none.
int listening_socket(const struct options* options);

/// Answers one connection that is waiting at `listener`. Every answer names the release in `X-Release` and closes.
///   /healthz   200, or 503 with --never-ready (-from) or while the file `unready`, or `unready.RELEASE`, is in the data folder
///   /slow      200 after --slow milliseconds
///   /eat       takes a GiB of memory, then 200
///   /fork      forks children that wait until it cannot any more, then 200 and why, also on stderr
///   /metrics   with --errors: a counter in Prometheus' text format
///   /pid       the process id
///   /env/NAME  the value of that variable, 404 where it is not set
///   else       200 and the release id
void answer_one(int listener, const struct options* options);

/// Takes so much memory and keeps it.
void eat(long long bytes);
