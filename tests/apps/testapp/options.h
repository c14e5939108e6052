#pragma once

#include <stdbool.h>

/// How the app behaves; each field is a switch of its command line.
struct options {
  const char* port;          ///< --port N: serve there; else sockets that were passed, else none
  bool serve;                ///< --serve: answer HTTP
  bool never_ready;          ///< --never-ready: /healthz answers 503
  int never_ready_from;      ///< --never-ready-from N: the same where this is instance N of its process or a later one; 0: none
  bool ignore_term;          ///< --ignore-term
  bool ignore_socket;        ///< --ignore-socket: leave the passed socket alone and listen on none
  bool close_stdout;         ///< --close-stdout
  bool in_data;              ///< --in-data: works in the data folder
  bool keep_state;           ///< --count-starts: append a line to starts.log in the data folder at each start
  int grandchildren;         ///< --grandchildren N: fork that many twice over and let go of them
  int lines_per_second;      ///< --lines N: print "line 1", "line 2", … at that rate
  int errors_per_second;     ///< --errors N: the counter at /metrics grows by so many a second; without it, there is none
  long long flood;           ///< --flood BYTES: write so many without a newline, then go on
  long long eat;             ///< --eat BYTES: of memory, before it listens
  int exit_after_ms;         ///< --exit-after MS: end by itself then (0: at once); -1: never
  int exit_once_current_ms;  ///< --exit-once-current MS: so long after its release has become the app's (`current` names it); -1: never
  int exit_code;             ///< --exit-code N
  int start_delay_ms;        ///< --start-delay MS: before it listens
  const char* become;        ///< --become PROGRAM: on SIGUSR1, as PROGRAM 1000
  int slow_ms;               ///< --slow MS: before each answer to /slow
};

/// Reads the command line; ends the program with 64 and a line on stderr when it does not understand.
struct options read_options(int argc, char** argv);
