#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "core/publish/build_store.h"
#include "core/result.h"
#include "core/trust/time.h"

namespace berth::publish {

struct BuildOptions {
  std::string version;                 ///< for people, such as `1.4.2`
  std::optional<std::string> commit;   ///< absent: what git has checked out there, `<commit>-dirty` where that was changed
  std::string builder;
  std::string platform;                ///< empty: seen from the programs; of an image, this machine's
  std::string spec;                    ///< the file of a berth.toml that is not in what is built; empty: the one in there, or what an image says
  std::string app;                     ///< the app's name where there is no berth.toml
  std::string tag;                     ///< which image is wanted, where there are several
  int level = 9;                       ///< zstd's; it does not change the digest
};

/// A build that was made, and what is worth telling of it.
struct MadeBuild {
  Build build;
  bool already = false;                ///< the store had it
  std::uint64_t files = 0, bytes = 0;  ///< of its tree
  std::vector<std::string> notes;
};

/// Makes a build of what `source` is, and puts it into the store:
///  - a folder with a `berth.toml`, or a ZIP or tar of one (whose single top folder may be left out),
///  - an OCI image layout, as a folder or a tar, or what `docker save` wrote: its merged root file system,
///  - one executable: an ELF program or a script that begins with `#!`, which becomes `bin/<its name>`.
/// What an image or an executable says of how it is run are the defaults of its berth.toml, which it may have in `options.spec` or not at all.
///
/// The layer holds the tree as `bundle::list_tree` lists it, without `.berthignore` and `berth.toml` at its top: the spec travels in the manifest, so
/// that a comment in berth.toml makes no other build. `Errc::usage` for whatever the user has to put right, with file and place.
Result<MadeBuild> make_build(const BuildStore& store, const std::filesystem::path& source, const BuildOptions& options, trust::WallTime now);

}  // namespace berth::publish
