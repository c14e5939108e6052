#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <string_view>

#include <sys/types.h>

#include "core/files/fd.h"
#include "core/result.h"

namespace berth::files {

namespace fs = std::filesystem;

/// The whole of a file of at most `most` bytes; a longer one fails with `Errc::protocol`, a missing one with `Errc::not_found`.
Result<std::string> read(const fs::path& path, std::size_t most);
Result<std::string> read(int fd, std::string_view name, std::size_t most);

/// Writes all of `data`, over interrupts and short writes.
Result<void> write_all(int fd, std::string_view data, std::string_view name);

/// Replaces `path` durably: a temporary file in the same folder, fsync, rename, fsync of the folder. A reader sees the old
/// or the new content whole, also after a power cut.
Result<void> replace(const fs::path& path, std::string_view content, mode_t mode = 0644);

/// Opens with O_CLOEXEC.
Result<Fd> open(const fs::path& path, int flags, mode_t mode = 0644);

/// Opens `relative` below `directory` without leaving it and without following any symlink (openat2).
Result<Fd> open_below(int directory, std::string_view relative, int flags, mode_t mode = 0644);

/// Makes `path` and its parents where missing, fsyncing each parent that gained an entry.
Result<void> make_directories(const fs::path& path, mode_t mode = 0755);

/// fsync of a folder, or of a file by name.
Result<void> sync(const fs::path& path);

/// Renames and fsyncs both parents.
Result<void> rename_durably(const fs::path& from, const fs::path& to);

/// Swaps what two names of one file system stand for, in one step, and fsyncs both parents (renameat2, RENAME_EXCHANGE).
Result<void> exchange_durably(const fs::path& one, const fs::path& other);

/// Points the symlink `link` at `target` by making a new one beside it and renaming it over the old one; durable.
Result<void> swap_symlink(const fs::path& link, const std::string& target);

/// Removes from a folder what a program that was killed in `replace` or `swap_symlink` left in it. While nobody else is in either.
void remove_left_temporaries(const fs::path& folder);

/// Removes a tree, read-only folders included; an absent one is fine. Never follows a symlink.
Result<void> remove_tree(const fs::path& path);

/// Bytes an unprivileged writer can still use on the file system of `path`.
Result<std::uint64_t> free_bytes(const fs::path& path);

/// A private folder for a test or a tool, removed with its content at the end of scope.
class TemporaryDirectory {
 public:
  TemporaryDirectory();
  ~TemporaryDirectory();
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

}  // namespace berth::files
