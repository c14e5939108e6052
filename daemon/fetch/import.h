#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <mutex>
#include <stop_token>
#include <string>

#include "core/ids.h"
#include "core/result.h"
#include "daemon/fetch/fetch.h"

namespace berth::fetch {

struct ImportOptions {
  std::string environment;                   ///< of this node: a release of another one is refused
  bool allow_expired = false;                ///< an expired timestamp or snapshot is taken; nothing else is relaxed
  std::uint64_t reserve_bytes = 256u << 20;  ///< what stays free on the disk
  /// `Repository::take_turn` of the repository whose trusted metadata are used; empty where nothing else uses them.
  std::function<Result<std::unique_lock<std::mutex>>()> take_turn = {};
};

/// What a release file was found to hold.
struct Imported {
  ReleaseRef release;
  std::string manifest_sha256;
  std::uint64_t bytes = 0;
  std::string expired;  ///< what had expired, and was taken all the same: "timestamp.json: version 4 expired at …"; empty: nothing
};

/// Unpacks the release file `file` into the empty folder `staging`, which then is a repository of that one release, and verifies all of it: the metadata
/// by what this node trusts (which moves on as by a refresh, once all is known to be right), the manifest, each layer and its index. Space is checked
/// first. `Errc::trust` names what is wrong; then nothing that this node trusts has changed, and `staging` is left for the caller to remove. Blocking.
Result<Imported> import_file(const RepositoryOptions& node, const fs::path& file, const fs::path& staging, const ImportOptions& options, std::stop_token stop);

}  // namespace berth::fetch
