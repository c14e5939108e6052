#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include <boost/json/value.hpp>

namespace berth::cli {

/// An instance whose keeper writes its log below another folder than `[paths] logs` says now, since that was changed while it ran.
struct LogElsewhere {
  std::string app, instance;
  std::filesystem::path folder;  ///< in the place of `logs`
};

/// Those of `app` (an object of `GET /v1/status`), as far as the command lines of their keepers tell; `proc` is where those of this machine are.
std::vector<LogElsewhere> logs_elsewhere(const boost::json::value& app, const std::filesystem::path& logs, const std::filesystem::path& proc = "/proc");

}  // namespace berth::cli
