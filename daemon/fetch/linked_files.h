#pragma once

#include <cstdint>
#include <filesystem>
#include <stop_token>
#include <string>
#include <vector>

#include <sys/stat.h>
#include <sys/types.h>

#include "core/bundle/layer.h"
#include "core/result.h"

namespace berth::fetch {

/// Which file it was that was hashed. One of root's that nobody else may write, with the same identity, has the same content.
struct FileIdentity {
  dev_t device = 0;
  ino_t inode = 0;
  std::uint64_t size = 0;
  std::int64_t modified_s = 0, modified_ns = 0;

  bool operator==(const FileIdentity&) const = default;
};
FileIdentity identity_of(const struct stat& is);

/// The files of a layer that a sealed slot has already.
struct LinkPlan {
  struct Link {
    std::string path;             ///< in the layer, and below `from`
    std::filesystem::path from;   ///< the slot's `app` or `config`
    mode_t mode = 0644;
    FileIdentity hashed;          ///< there, when its content was compared
  };
  std::vector<Link> links;  ///< sorted by path (bytes)
  std::uint64_t bytes = 0;  ///< of their content

  /// One behind all others.
  void add(Link link);
};

/// Looks for each file of `entries` at its own path below `slots`/`part`, in order; digest and mode must be equal, and the file must be root's and
/// sealed. A slot that cannot be read has nothing. Reads every such file whole, on several threads.
Result<LinkPlan> plan_links(const std::vector<bundle::Entry>& entries, const std::vector<std::filesystem::path>& slots, const std::string& part,
                            const std::stop_token& stop);

/// Puts them into `tree`, whose folders are there: a reflink, else a hard link, else a copy. `Errc::trust` where something lies there already.
Result<void> make_links(const LinkPlan& plan, int tree, const std::stop_token& stop);

}  // namespace berth::fetch
