#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "core/result.h"

namespace berth::config {

namespace fs = std::filesystem;

/// One file of a configuration.
struct Source {
  std::string name;  ///< as complaints have it
  std::string text;
};

/// The folder beside a berthd.toml whose files add to it.
fs::path drop_in_folder(const fs::path& file);

/// What a configuration is made of, in the order in which it is read: the file, and then each `conf.d/*.toml` beside it by name, as bytes compare. Names that
/// begin with a dot or end otherwise, as those of editors and of dpkg do, do not count. A folder that is missing has none. Fails with `Errc::usage` where the
/// folder cannot be read, where something in it is no file, and where there are more than 100.
Result<std::vector<fs::path>> files_of(const fs::path& file);

/// Reads all of them. Whatever cannot be read is `Errc::usage`.
Result<std::vector<Source>> read_sources(const fs::path& file);

/// "/etc/berth/berthd.toml", "/etc/berth/berthd.toml and 2 files of conf.d".
std::string text_of(const std::vector<fs::path>& files);

}  // namespace berth::config
