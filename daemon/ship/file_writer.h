#pragma once

#include <cstdint>
#include <span>
#include <string>

#include <sys/types.h>

#include "core/files/fd.h"
#include "core/result.h"
#include "daemon/ship/file_sink.h"
#include "daemon/ship/sink.h"

namespace berth::ship {

/// The number of a group. `Errc::not_found` where there is none of that name.
Result<gid_t> gid_of(const std::string& group);

/// Appends batches to a file of JSON lines, and rotates it. Blocking; for one thread.
class FileWriter {
 public:
  explicit FileWriter(FileSettings settings) : settings_(std::move(settings)) {}

  /// Writes the whole batch, durably, or nothing of it: what a full disk took is cut off again.
  Result<void> write(std::span<const Entry> batch);

 private:
  Result<void> open();
  Result<void> open_new();
  Result<void> cut_torn_line();
  Result<void> rotate();
  bool has_room(std::span<const Entry> batch) const;
  Result<std::uint64_t> append(std::span<const Entry> batch);
  std::filesystem::path rotated(int number) const;

  FileSettings settings_;
  Fd file_;
  std::uint64_t size_ = 0;
};

}  // namespace berth::ship
