#pragma once

#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <sys/types.h>

#include "core/bundle/layer.h"
#include "core/result.h"

namespace berth::fetch {

/// What a dead worker left in the folder `tree`: nothing but the directories, files and links of `expected`, each with its mode and of user
/// `worker`; files of one link each, and none of those in `linked`, which are still to come. `Errc::trust` names the first path that is otherwise.
/// Everything, `tree` included, becomes root's and read-only on the way. Content is not looked at yet.
Result<void> take_over(int tree, const std::vector<bundle::Entry>& expected, const std::set<std::string>& linked, uid_t worker);

/// Makes the directories and links of `expected` in the empty folder `tree`, sealed: where there is nothing to unpack.
Result<void> make_without_files(int tree, const std::vector<bundle::Entry>& expected);

/// The mode in a slot: read-only, executable where `mode` is.
mode_t sealed_mode(mode_t mode);

}  // namespace berth::fetch
