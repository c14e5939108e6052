#pragma once

#include <string>

#include "core/result.h"

namespace berth::cli {

/// Which of this program's own files the command gets.
struct ExecFiles {
  bool terminal = false;  ///< they are one new terminal, which is shown at this one, but for a stderr that is none
  bool input = true;      ///< else its stdin is empty
};

/// How a command ended, as a shell would tell it, and what berthd or its keeper said of that.
struct ExecEnd {
  int exit = 0;
  std::string message;
};

/// Hands stdin, stdout and stderr over at `socket`, where berthd waits for them, and stays until the command has ended: what is a terminal is copied, other files
/// are the command's own. Signals that this program gets are the command's. Fails where nobody waits there (berthd was restarted), and where the connection ends
/// before the command is known to.
Result<ExecEnd> run_exec_session(const std::string& socket, ExecFiles files);

}  // namespace berth::cli
