#pragma once

#include <filesystem>
#include <stop_token>
#include <vector>

#include <sys/types.h>

#include "core/bundle/layer.h"
#include "core/files/fd.h"
#include "core/result.h"
#include "daemon/fetch/linked_files.h"

namespace berth::fetch {

/// Compares the folder `tree`, which a dead worker filled and berthd put links into, with what was signed: nothing but the directories, files and links of
/// `expected`, each of user `worker` and with its mode; files of one link and of the signed size and SHA-256; those of `plan` root's, sealed, and never the
/// worker's. `Errc::trust` names the path that is otherwise. All of it, `tree` included, becomes root's and read-only on the way. Every file is read
/// whole, on several threads, but for those that are the very ones that `plan_links` read.
Result<void> take_over(int tree, const std::vector<bundle::Entry>& expected, const LinkPlan& plan, uid_t worker, const std::stop_token& stop);

/// Makes a folder that nobody passes through, and opens it.
Result<Fd> make_target(const std::filesystem::path& target);

/// Makes the directories and links of `expected` in the empty folder `tree`, as a worker that is root would: where there is nothing to unpack.
Result<void> make_without_files(int tree, const std::vector<bundle::Entry>& expected);

/// The mode in a slot: read-only, executable where `mode` is.
mode_t sealed_mode(mode_t mode);

}  // namespace berth::fetch
