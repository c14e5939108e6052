#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "core/bundle/manifest.h"
#include "core/ids.h"
#include "core/result.h"
#include "core/trust/remote.h"
#include "core/trust/time.h"

namespace berth::release_file {

namespace fs = std::filesystem;

/// Hands on the bytes of a file below the repository from byte `from` on, `most` of them at most, as they come.
using ReadBlob =
    std::function<Result<void>(const std::string& path, std::uint64_t from, std::uint64_t most, const std::function<Result<void>(std::string_view)>& sink)>;

/// A repository as a client sees it.
struct Source {
  trust::Remote& metadata;
  trust::Remote& targets;
  ReadBlob blob;
  std::string root;   ///< a root.json that is believed
  trust::WallTime now;
};

/// A release as a repository proves it.
struct Found {
  bundle::Manifest manifest;
  std::string role;               ///< that signed for it: "targets", or the app's own
  std::vector<std::string> keys;  ///< ids of the keys that signed that role, each verified
  std::string expired;            ///< "timestamp.json expired at …"; empty: nothing has
};

/// Looks a release up as a client does, and verifies its manifest. An expired timestamp or snapshot does not matter: this is for looking only.
Result<Found> find_release(const Source& source, const ReleaseRef& release);

/// A small blob (an index, an attachment), verified; at most `kLargestIndex`.
Result<std::string> read_blob(const Source& source, const bundle::BlobRef& ref);

struct Exported {
  bundle::Manifest manifest;
  std::uint64_t bytes = 0;  ///< of the file
};

/// Writes a release, and all that proves it, to `file`, which must not be there (`Errc::exists`): everything is verified on the way, as a node would.
/// On failure there is no file.
Result<Exported> export_release(const Source& source, const ReleaseRef& release, const fs::path& file);

struct Unpacked {
  ReleaseRef release;               ///< which it says it is; to be verified
  std::vector<std::string> blobs;   ///< SHA-256 of those that are there; each is what its name says
  std::uint64_t bytes = 0;
};

/// Unpacks a release file into the empty folder `into`, not yet synced. What comes is not believed: only paths that a release file has, files and folders
/// alone, bounded numbers and sizes; `Errc::trust` names path and rule. `file` is a descriptor at the file's begin, `name` is for messages. What is signed
/// is not looked at. On failure `into` is left for the caller to remove.
Result<Unpacked> unpack(int file, const std::string& name, const fs::path& into, std::stop_token stop);

}  // namespace berth::release_file
