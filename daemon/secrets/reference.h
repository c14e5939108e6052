#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "core/crypto/secret.h"
#include "core/result.h"

namespace berth::secrets {

inline constexpr std::size_t kMostSecret = 64u << 10;  ///< bytes of a value

/// Where this node lets secrets come from, besides files, credentials and berthd's environment.
struct Sources {
  std::vector<std::string> commands;                  ///< the programs that `command:` may name: the node's business, not a release's
  std::chrono::milliseconds command_deadline{10'000};
};

/// The value of `reference`: `file:/path`, `credential:NAME` (of systemd), `env:NAME` (of berthd), or `command:/program argument …`, whose stdout it is.
/// One newline at the end of a file or an output is no part of it. Blocking; as berthd's user. Fails with
///  - `Errc::usage` for what is no reference, a program that the node does not allow, or a value that is too long or has a NUL in it,
///  - `Errc::not_found`, `Errc::permission` for what cannot be read or run, `Errc::timeout` and `Errc::io` for a command that fails.
/// Messages never have the value in them.
Result<crypto::Secret> resolve(const std::string& reference, const Sources& sources);

inline constexpr std::string_view kCommand = "command:";
/// Whether the node lets the program of a reference that begins with `kCommand` run; fails as `resolve` does, and runs nothing.
Result<void> check_command(std::string_view reference, const Sources& sources);

}  // namespace berth::secrets
