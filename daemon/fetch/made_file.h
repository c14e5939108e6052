#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/bundle/layer.h"
#include "core/crypto/sha256.h"
#include "core/files/fd.h"
#include "core/result.h"
#include "daemon/fetch/linked_files.h"

namespace berth::fetch {

/// Which file was made of each entry, by its number, when its content was hashed; no inode: none was.
using MadeFiles = std::vector<FileIdentity>;

/// A file that berthd makes of an entry: sealed from the beginning, and hashed on its way to the disk. One after the other; not for several threads.
class MadeFile {
 public:
  /// Makes it in the folder `folder`, where nothing of its name may be. `entry` has to live until `end`.
  Result<void> begin(int folder, const bundle::Entry& entry);
  Result<void> write(std::string_view content);
  /// Fails with `Errc::trust` where what was written is not the content that the entry has.
  Result<FileIdentity> end();

 private:
  const bundle::Entry* entry_ = nullptr;
  Fd file_;
  crypto::Sha256 hash_;
};

}  // namespace berth::fetch
