#pragma once

#include <filesystem>
#include <functional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "core/bundle/layer.h"
#include "core/result.h"

namespace berth::bundle {

/// How `list_tree` takes what it finds.
struct ListOptions {
  /// What unpacked from outside was not to be made is refused: setuid, setgid and sticky bits, devices, sockets and FIFOs, and files with more than one
  /// link. Else such bits, file capabilities and devices are left out, with a note, and links are listed as files of their own.
  bool strict = false;
  /// Paths to pass over, folders with all that is in them; asked once for each.
  std::function<bool(std::string_view path)> leave_out;
  /// False: files are not read, and have no `sha256`; who packs them hashes them then.
  bool hashes = true;
  /// Gives up with `Errc::cancelled`.
  std::stop_token stop;
};

/// What lies below a folder, as a layer has it.
struct Tree {
  std::vector<Entry> entries;      ///< sorted by path (bytes), parents before what is in them
  std::vector<std::string> notes;  ///< what was left out, a line each: "bin/ping: its setuid bit is left out"
};

/// Lists `root` and, unless `hashes` is false, hashes its files. Never follows a symlink, and never leaves `root`. Modes are made canonical: 0755 for folders and files that their
/// owner may execute, else 0644. Fails with `Errc::usage` (`Errc::trust` where `strict`), naming the path, for what a layer cannot have: links
/// that are absolute or lead out of the tree, names with control characters or that are not UTF-8, paths over 1024 bytes, more than 200,000
/// of them.
Result<Tree> list_tree(const std::filesystem::path& root, const ListOptions& options = {});

/// Whether what lies on the disk is what was signed: `Errc::trust` names the first path that differs, and how.
Result<void> check_same(const std::vector<Entry>& found, const std::vector<Entry>& expected);

/// Bytes of all files.
std::uint64_t total_size(const std::vector<Entry>& entries);

}  // namespace berth::bundle
