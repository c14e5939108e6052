#pragma once

#include <chrono>
#include <filesystem>
#include <memory>
#include <string>

#include "core/result.h"
#include "daemon/config/section.h"
#include "daemon/ship/sink.h"
#include "daemon/ship/sinks/courier.h"

namespace berth::ship {

/// The journal of this machine.
struct JournaldSettings {
  std::string name;
  std::filesystem::path socket = "/run/systemd/journal/socket";
  std::chrono::milliseconds timeout{30'000};  ///< of a batch
  BatchLimits limits;
};

/// Reads `socket` and `timeout`.
JournaldSettings parse_journald(config::Section& section);

/// Fails with `Errc::usage` where the path is too long for a socket. One that is not there is waited for.
Result<std::unique_ptr<Sink>> make_journald_sink(JournaldSettings settings);

std::unique_ptr<Courier> make_journald_courier(JournaldSettings settings);

}  // namespace berth::ship
