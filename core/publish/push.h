#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "core/publish/collect.h"
#include "core/publish/release.h"
#include "core/result.h"
#include "core/trust/remote.h"

namespace berth::publish {

struct PushOptions {
  std::string command = {};          ///< that copies; empty: we do, into a local folder
  trust::Remote* served = nullptr;   ///< metadata as it is served at `served_at`, to be looked at first; null: only a destination that is a local folder is
  std::string served_at = {};
  bool force = false;                ///< also over what is newer, or of another copy
  std::optional<CollectOptions> prune = {};  ///< removes from the destination what nothing lists there any more; not with a command
};

struct Pushed {
  std::uint64_t files = 0, bytes = 0;  ///< copied by ourselves; 0 where a command copies
  bool made = false;  ///< the local folder was not there before
  Collected pruned;
};

/// Copies a repository in the order in which a reader of the destination always finds a whole one: blobs and targets, numbered metadata, and timestamp.json
/// before or after the roots, as push_order.h says.
/// Holds the repository's lock meanwhile. The destination is a local folder, and each file comes there by rename; or, with `command`, whatever that
/// takes: a shell command that is called with a folder and DESTINATION/ and copies the folder into there, over what is there, as `rsync -a`,
/// `cp -a` and `scp -r` do. A failure ends it: nothing that comes later in the order was touched. Before anything is copied, what lies there is looked at
/// where that can be done; a local folder is made where its parent is there, else it is `Errc::not_found`, and `Errc::conflict` refuses to overwrite what is no earlier state of this repository (push_check.h), unless by force.
Result<Pushed> push_repository(const Repository& repository, const std::string& destination, const PushOptions& options);

}  // namespace berth::publish
