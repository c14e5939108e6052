#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/bundle/layer.h"
#include "core/result.h"
#include "daemon/fetch/file_content.h"
#include "daemon/fetch/folder_cache.h"
#include "daemon/fetch/linked_files.h"
#include "daemon/fetch/made_file.h"

namespace berth::fetch {

/// Makes the files of some entries of a layer out of its tar, which comes in pieces from a worker. There is but one tar that the signed index allows: what
/// comes is compared with that, byte by byte, and is not parsed. Content is hashed on its way into the file. Not for several threads.
class PouredFiles {
 public:
  /// Of the entries `run`, whose folders are in `tree`. Of those in `plan`, which are linked, only the headers come. Each file that is made is noted in `made`, which
  /// has a place for each entry. The references must outlive this.
  PouredFiles(int tree, const std::vector<bundle::Entry>& entries, EntryRun run, const LinkPlan& plan, MadeFiles& made);

  /// The next piece. `Errc::trust` names the entry that it is not of.
  Result<void> take(std::string_view bytes);

  /// Fails with `Errc::trust` where more should have come.
  Result<void> finish() const;

 private:
  void expect_header(std::uint64_t padding);
  Result<void> compare(std::string_view& bytes);
  Result<void> begin_entry();
  Result<void> take_content(std::string_view& bytes);
  Result<void> end_file();
  bool is_linked(const bundle::Entry& entry) const;

  FolderCache folders_;
  const std::vector<bundle::Entry>& entries_;
  const EntryRun run_;
  const LinkPlan& plan_;
  MadeFiles& made_;
  std::size_t number_;          ///< of the entry that is under way
  std::string expected_;        ///< what has to come before its content: what pads the one before it, and its header
  std::size_t compared_ = 0;    ///< bytes of that
  MadeFile file_;
  std::uint64_t left_ = 0;      ///< bytes of its content
};

}  // namespace berth::fetch
