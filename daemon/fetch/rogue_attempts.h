#pragma once

#include <optional>
#include <string>

namespace berth::fetch {

/// Tries to break out of a worker's confinement in the way called `name`: a kernel's answer as of a system call, with errno; nothing where
/// there is no such way. `argument` is a process id, a path or a port, where one is needed.
std::optional<long> attempt(const std::string& name, const std::string& argument);

}  // namespace berth::fetch
