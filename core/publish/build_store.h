#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "core/files/fd.h"
#include "core/files/files.h"
#include "core/publish/build.h"
#include "core/result.h"

namespace berth::publish {

namespace fs = std::filesystem;

/// Where a build is put together, in the store and on its disk; what is left of it is removed at the end of scope, or, after a crash, by the
/// next one.
class Workshop {
 public:
  ~Workshop();
  Workshop(Workshop&&) noexcept = default;
  Workshop& operator=(Workshop&&) = delete;

  fs::path layer() const { return folder_ / "build/layer.tar.zst"; }
  fs::path build() const { return folder_ / "build"; }    ///< becomes the build's folder
  fs::path tree() const { return folder_ / "tree"; }      ///< for what an archive holds; made by whoever unpacks
  fs::path contents() const { return folder_ / "contents"; }  ///< for the files of an image's layers, and
  fs::path root() const { return folder_ / "root"; }      ///< for the root file system that they become

 private:
  friend class BuildStore;
  Workshop(fs::path folder, Fd lock) : folder_(std::move(folder)), lock_(std::move(lock)) {}
  fs::path folder_;
  Fd lock_;
};

/// The builds of a user, on this machine:
///
///   builds/<digest>/build.json  layer.tar.zst  index.json
///   latest/<app>                                            a symlink to that app's newest build
///
/// Builds are kept until their folder is removed by hand; nothing but `berth release` reads them, and it copies what it publishes.
class BuildStore {
 public:
  explicit BuildStore(fs::path folder) : folder_(std::move(folder)) {}

  /// `$XDG_DATA_HOME/berth`, else `~/.local/share/berth`. `Errc::usage` where the environment names neither.
  static Result<BuildStore> of_user();

  /// An empty place to make a build in.
  Result<Workshop> open_workshop() const;

  /// Takes a build whose layer lies in the workshop, and makes it the latest of its app. Gives the build as it is kept: where the digest is there
  /// already its layer stays, unless that was damaged, and only what is said of it (version, commit, builder, created) is new. Durable.
  Result<Build> add(Build build, const std::string& index, const Workshop& workshop) const;

  /// The newest build of an app; `Errc::not_found` says how to make one.
  Result<Build> latest(const std::string& app) const;

  /// The build whose digest begins so (8 digits or more). `Errc::usage` where several do.
  Result<Build> find(const std::string& digest) const;

  /// All builds, newest first. A folder that is no whole build is told of in `passed_over`, and left alone.
  Result<std::vector<Build>> list(std::vector<Error>* passed_over = nullptr) const;

  const fs::path& folder() const { return folder_; }
  fs::path layer_of(const std::string& digest) const { return build_folder(digest) / "layer.tar.zst"; }
  fs::path index_of(const std::string& digest) const { return build_folder(digest) / "index.json"; }

 private:
  fs::path build_folder(const std::string& digest) const { return folder_ / "builds" / digest; }
  Result<Build> read(const std::string& digest) const;
  Result<std::vector<std::string>> digests() const;

  fs::path folder_;
};

}  // namespace berth::publish
