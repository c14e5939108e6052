#pragma once

#include <filesystem>
#include <optional>

#include "core/exit_code.h"

namespace berth {

namespace fs = std::filesystem;

/// What berthd's command line says.
struct Options {
  fs::path config;
  std::optional<fs::path> keeper, unpack;
  bool check = false;          ///< the configuration only
  bool show_config = false;    ///< what the configuration comes to
  bool check_upgrade = false;  ///< whether this berthd can take over the state that is there
};

/// Reads it. Empty where there is nothing more to do than what was printed: `--help`, `--version`, `--man`, or a complaint; `exit` is then how berthd ends.
/// `default_config`: what is read where `--config` does not say.
std::optional<Options> read_options(int count, char** arguments, const fs::path& default_config, Exit& exit);

}  // namespace berth
