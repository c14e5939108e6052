#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "core/result.h"
#include "daemon/data/tree_copy.h"

namespace berth::data {

/// How a copy of an app's data comes to be, the cheapest first.
enum class Method {
  subvolume,  ///< the folder is a btrfs subvolume without others in it: a snapshot of it, in no time
  reflink,    ///< the file system lets files share their blocks (btrfs, xfs, …)
  copy,
};
std::string_view to_string(Method method);

/// How a snapshot of the folder `data` would be taken. Blocking; leaves nothing behind.
Result<Method> method_for(const fs::path& data);

/// Whether a snapshot of `data` may be taken: there is room for it beside the reserve and, where bytes have to be copied, it is within `max_bytes`.
/// Fails with `Errc::no_space`, saying how much there is and what to do, and with `Errc::usage` where it is a file system of its own, or has something mounted
/// in it: a copy could not take its place. Blocking.
Result<void> may_snapshot(const fs::path& data, const CopyLimits& limits);

/// What a snapshot became.
struct Snapshot {
  Method method = Method::copy;
  std::uint64_t bytes = 0;  ///< of the files in it; 0 with `Method::subvolume`, which does not look
};

/// Makes `to`, which must not be there, a copy of the folder `data` as it is while nobody writes to it, durably. Where it fails nothing is left of it.
/// Errors as `may_snapshot` and `copy_tree`. Blocking.
Result<Snapshot> take_snapshot(const fs::path& data, const fs::path& to, const CopyLimits& limits);

/// Makes an empty folder, as a subvolume where the file system has those. Fine where a folder is there. Not yet synced.
Result<void> make_folder(const fs::path& path, mode_t mode);

/// Removes a folder with all that is in it, a subvolume in one step, durably. Fine where there is none.
Result<void> remove_folder(const fs::path& path);

}  // namespace berth::data
