#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "core/result.h"

namespace berth::publish {

struct Pushed {
  std::uint64_t files = 0, bytes = 0;  ///< copied by ourselves; 0 where a command copies
};

/// Copies a repository in the order in which a reader of the destination always finds a whole one: blobs and targets, numbered metadata, timestamp.json.
/// Holds the repository's lock meanwhile. The destination is a local folder, and each file comes there by rename; or, with `command`, whatever that
/// takes: a shell command that is called with a folder and DESTINATION/ and copies the folder into there, over what is there, as `rsync -a`,
/// `cp -a` and `scp -r` do. A failure ends it: nothing that comes later in the order was touched.
Result<Pushed> push_repository(const std::filesystem::path& repository, const std::string& destination, const std::string& command);

}  // namespace berth::publish
