#pragma once

#include "core/result.h"

namespace berth {

/// What `berth` ends with; the same in every verb, and `exit` in the API's problem documents.
enum class Exit : int {
  ok = 0,              ///< active, or already so; done
  failed = 1,          ///< failed before the decision: what served still serves
  usage = 2,           ///< a wrong call, or an invalid file
  not_found = 3,       ///< no such app, release, deployment or instance
  trust = 4,           ///< signatures, expiry, versions or the bundle are refused
  reverted = 5,        ///< the new release was active and was reverted
  unreachable = 6,     ///< berthd does not answer
  permission = 7,      ///< the caller may not do this
  conflict = 8,        ///< held, rejected, superseded, cancelled, or something else is under way
  still_running = 9,   ///< not over when `--timeout` ended
};

/// The exit code a failure ends in.
Exit exit_code(Errc code);

/// The failure an exit code stands for, where a peer says only that; `Errc::internal` for what has none.
Errc errc_of(Exit exit);

/// One line that says what it means, for help texts and the man page.
std::string_view meaning(Exit exit);

}  // namespace berth
