#pragma once

#include <string>
#include <vector>

#include "core/result.h"

namespace berth::tuf_client {

/// What the client is told to do. CLI11 is not used, since its exit codes are more than 0 and 1.
struct Options {
  std::string metadata_folder;
  std::string metadata_url;
  std::vector<std::string> targets;
  std::string target_folder;
  std::string target_url;
  std::string command;    ///< init, refresh or download
  std::string root_file;  ///< of init
};

/// Reads the command line. Fails with `Errc::usage`.
Result<Options> read_options(const std::vector<std::string>& arguments);

}  // namespace berth::tuf_client
