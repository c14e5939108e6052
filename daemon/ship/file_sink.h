#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

#include "daemon/config/section.h"
#include "daemon/ship/sink.h"

namespace berth::ship {

/// `kind = "file"`: a file of JSON lines, for an agent that is there already.
struct FileSettings {
  std::string name;
  std::filesystem::path path;
  std::uint64_t rotate_bytes = 100u << 20;  ///< a batch that would make it larger goes into a new one
  int keep_files = 5;                       ///< rotated ones, `path.1` the newest; older ones are removed
  std::string group;                        ///< who may read it besides root; empty: nobody
};

/// Reads `path`, `rotate_bytes`, `keep_files` and `group`.
FileSettings parse_file(config::Section& section);

/// Whether such a file can be there, as far as that is seen without making it: its group, and what lies at its path. Fails with `Errc::usage`.
Result<void> check_file(const FileSettings& settings);

/// A sink with a thread of its own, so that a disk that hangs holds nothing else up. The file is opened, and made, when there is something to write.
std::unique_ptr<Sink> make_file_sink(FileSettings settings);

}  // namespace berth::ship
