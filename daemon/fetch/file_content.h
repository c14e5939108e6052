#pragma once

#include <functional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "core/bundle/layer.h"
#include "core/result.h"

namespace berth::fetch {

/// Reads files through one buffer, which is kept from file to file. Not for several threads.
class FileContent {
 public:
  /// Hands the rest of `file` on in pieces. `name` is for messages; `Errc::cancelled` when `stop` says so.
  Result<void> read(int file, const std::string& name, const std::stop_token& stop, const std::function<Result<void>(std::string_view)>& take);

  /// The SHA-256 of the rest of `file`, in hex.
  Result<std::string> sha256(int file, const std::string& name, const std::stop_token& stop);

 private:
  std::string piece_;
};

/// Entries one after the other: [begin, end).
struct EntryRun {
  std::size_t begin = 0, end = 0;

  bool operator==(const EntryRun&) const = default;
};

/// Cuts a list of entries into pieces of work for threads: of at most 64 entries, and of 4 MiB of content unless one file alone has more.
std::vector<EntryRun> runs_of(const std::vector<bundle::Entry>& entries);

}  // namespace berth::fetch
