#pragma once

#include <cstdint>

#include "core/files/fd.h"

namespace berth::deploy {

/// A terminal that a one-off command is to have.
struct ExecTerminal {
  std::uint16_t rows = 0, columns = 0;  ///< 0: not known
};

/// What berthd keeps of a one-off command whose client is at a connection of the API: the other ends of its files, and of what its keeper listens to (core/attached.h),
/// who ends it where that is closed here.
struct ExecEnds {
  Fd in, out, err;    ///< with a terminal `in` and `out` are its master, and there is no `err`
  Fd connection;
  bool terminal = false;
};

}  // namespace berth::deploy
