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

/// What berthd put into a tree itself.
struct Put {
  const LinkPlan& plan;
  const std::vector<FileIdentity>& made;  ///< see `MadeFiles`; empty where none was
};

/// Compares the folder `tree`, which nobody fills any more, with what was signed: nothing but the directories, files and links of `expected`, each of user
/// `owner` and with its mode; files of one link and of the signed size and SHA-256; those that berthd `put` there root's and sealed. `Errc::trust` names the path
/// that is otherwise. Every file is read whole, on several threads, but for those that are the very ones that were hashed when they were linked or made. Where `owner` is
/// root, folders, `tree` included, become read-only on the way, and all is then as it is in a slot.
Result<void> compare_tree(int tree, const std::vector<bundle::Entry>& expected, const Put& put, uid_t owner, const std::stop_token& stop);

/// Makes a folder that nobody passes through, and opens it.
Result<Fd> make_target(const std::filesystem::path& target);

/// Makes the directories and links of `expected` in the empty folder `tree`, on several threads.
Result<void> make_without_files(int tree, const std::vector<bundle::Entry>& expected);

/// The mode in a slot: read-only, executable where `mode` is.
mode_t sealed_mode(mode_t mode);

}  // namespace berth::fetch
