#pragma once

#include <filesystem>
#include <optional>

#include "core/exit_code.h"

namespace berth {

namespace fs = std::filesystem;

/// What berthd's command line says.
struct Options {
  fs::path config = "/etc/berth/berthd.toml";
  std::optional<fs::path> keeper, unpack;
  bool check = false;  ///< the configuration only
};

/// Reads it. Empty where there is nothing more to do than what was printed: `--help`, `--version`, or a complaint; `exit` is then how berthd ends.
std::optional<Options> read_options(int count, char** arguments, Exit& exit);

}  // namespace berth
