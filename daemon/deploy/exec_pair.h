#pragma once

#include <optional>

#include "daemon/deploy/exec_door.h"
#include "daemon/deploy/exec_ends.h"

namespace berth::deploy {

/// The files and the connection of a one-off command, and their other ends.
struct ExecPair {
  ExecClient client;
  ExecEnds ends;
};

/// Makes pipes, or one terminal.
Result<ExecPair> make_exec_pair(const std::optional<ExecTerminal>& terminal);

}  // namespace berth::deploy
