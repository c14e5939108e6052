#pragma once

#include <cstdint>
#include <string>

#include <sys/stat.h>

#include "daemon/data/tree_copy.h"

namespace berth::data {

/// One copying of a tree, as far as it is.
struct Copying {
  CopyLimits limits;
  int to = -1;                 ///< the folder that is filled
  bool may_share = true;       ///< false once the file system refused to
  std::uint64_t unchecked = 0;  ///< bytes since the free space was asked for
  CopiedTree done;
};

/// Bytes of a file, holes left out.
std::uint64_t bytes_of(const struct stat& status);

/// Fills the empty file `to` with what `from` holds: shares its blocks, else copies what is no hole. `shown` stands in messages.
Result<void> copy_content(int from, int to, const struct stat& status, Copying& copying, const fs::path& shown);

/// Owner, mode, extended attributes and times, in an order in which none takes another away.
Result<void> copy_attributes(int from, int to, const struct stat& status, const fs::path& shown);

}  // namespace berth::data
