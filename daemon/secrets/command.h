#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "core/result.h"

namespace berth::secrets {

/// The stdout of a program that exits with 0: at most `most` bytes. It has no stdin, no descriptor of ours, a plain environment, and a session of its own,
/// which is killed whole at the deadline and when the program is gone. Blocking. Fails with `Errc::not_found` or `Errc::permission` for one that cannot be
/// run, `Errc::timeout` at the deadline, `Errc::io` where it exits with another status or says too much; the message has the last line of its stderr.
Result<std::string> output_of(const std::vector<std::string>& argv, std::chrono::milliseconds deadline, std::size_t most);

}  // namespace berth::secrets
