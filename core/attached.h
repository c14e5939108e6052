#pragma once

// What `berth exec`, berthd and the keeper of a one-off command say to each other, over a SOCK_SEQPACKET socket of that command alone: plain structs of one
// machine, for C++ with and without its standard library. docs/formats.md describes them.

#include <stdint.h>

namespace berth::attached {

inline constexpr uint32_t kVersion = 1;
inline constexpr int kFiles = 3;  ///< descriptors that come with `Begin`: what the command has for stdin, stdout and stderr

/// From the client, first: with its descriptors. From then on the command lives as long as the client's end of the connection.
struct Begin {
  uint32_t version;
  uint32_t terminal;  ///< 1: stdin and stdout are one terminal, which the command is to control; stderr may be something else
};

/// From the client, later: a signal for the command's process group. One that ends programs, before the command was begun, takes it back.
struct Signal {
  uint32_t version;
  int32_t number;
};

/// To the client, once, before the connection is closed: nothing of the command is left. Who sees the connection close without it does not know how it ended.
struct End {
  uint32_t version;
  int32_t exit;       ///< what a shell would say: its exit code, 128 and its signal; 127 no such program, 126 it cannot be executed, 125 it was not begun
  char message[504];  ///< NUL-terminated: what there is to say besides, or empty
};

inline constexpr int kNotBegun = 125, kNotExecutable = 126, kNotFound = 127;

}  // namespace berth::attached
