#pragma once

#include <chrono>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include <sys/types.h>

#include "cli/console.h"
#include "core/json/json.h"
#include "daemon/config/config.h"
#include "daemon/store/store.h"

namespace berth::cli::doctor {

namespace fs = std::filesystem;
using Clock = std::chrono::system_clock;

/// What the checks look at: a node, as far as it can be read. Tests make one of folders of their own.
struct Subject {
  fs::path root = "/";                   ///< where proc, sys and etc are
  fs::path config_file;
  std::vector<fs::path> config_files;    ///< with those beside it that add to it
  std::optional<config::Config> config;  ///< absent: it cannot be read, see `config_trouble`
  std::string config_trouble;
  bool config_is_closed = false;         ///< whoever asks may not read it, which says nothing of it
  store::Paths paths;                    ///< as the configuration says, else as berthd says, else the usual ones
  std::optional<json::value> status;     ///< what berthd says of itself; absent: it cannot be asked, see `unreachable`
  std::string unreachable;
  bool is_closed = false;                ///< whoever asks may not ask it, which says nothing of how it is
  uid_t owner = 0;                       ///< whose the node's files are
  Clock::time_point now = Clock::now();
};

/// The file of a sink, and the references to secrets that it names.
struct SinkAccess {
  std::string sink;
  fs::path ca_file, certificate_file, key_file;
  std::string token, password;
};
SinkAccess access_of(const config::Sink& sink);

/// Asks the berthd of `console`, and reads `config_file`. Where that is empty it is the file with which that berthd was started, or, where it cannot be asked, the usual one.
Subject read_subject(const Console& console, const fs::path& config_file);

/// "2026-11-24T09:00:00Z".
std::string time_text(Clock::time_point at);

/// The most that is read of a file of /proc or /etc.
inline constexpr std::size_t kMostSystemFile = 4u << 20;

/// The configuration that berthd has unless it is told another one.
fs::path usual_config();

}  // namespace berth::cli::doctor
