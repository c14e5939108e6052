#include "daemon/fetch/unpack_patch.h"

#include <algorithm>
#include <cerrno>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/files/files.h"
#include "daemon/fetch/folder_cache.h"
#include "daemon/fetch/made_file.h"
#include "daemon/fetch/made_tree.h"
#include "daemon/fetch/unpack_worker.h"

namespace berth::fetch {
namespace {

constexpr std::size_t kMadePiece = 256u << 10;

/// Decodes one frame of a patch.
Result<void> run_frame(const unpack::PatchFrame& frame, const std::filesystem::path& blob, std::uint64_t blob_size, int scratch,
                       const std::filesystem::path& workshop, const StageOptions& options, const std::stop_token& stop) {
  BERTH_TRY(const Fd folder, make_target(workshop));
  const std::uint64_t worked = unpack::made_place(frame.base, frame.content) + frame.made;
  std::vector<Work> works;
  works.push_back({.job = {.frames = {}, .patch = frame},
                   .blob = blob,
                   .target = workshop,
                   .folder = folder.get(),
                   .scratch = scratch,
                   .bytes = worked,
                   .mapped = worked + blob_size});
  const auto done = run_workers(works, Errc::io, options, stop);
  BERTH_CHECK(files::remove_tree(workshop));
  return done;
}

/// Cuts files out of what a script made.
class Cutting {
 public:
  Cutting(int scratch, std::uint64_t place, int tree) : scratch_(scratch), place_(place), folders_(tree), piece_(kMadePiece, '\0') {}

  /// `entry` lives on until the next one is cut.
  Result<FileIdentity> cut(const bundle::Entry& entry) {
    BERTH_TRY(const int folder, folders_.folder_of(entry.path));
    BERTH_CHECK(file_.begin(folder, entry));
    for (std::uint64_t left = entry.size; left > 0;) {
      const auto want = static_cast<std::size_t>(std::min<std::uint64_t>(left, piece_.size()));
      const ssize_t got = ::pread(scratch_, piece_.data(), want, static_cast<off_t>(place_));
      if (got < 0 && errno == EINTR) continue;
      if (got <= 0) return fail_errno("read what a patch made", got < 0 ? errno : EIO);
      BERTH_CHECK(file_.write({piece_.data(), static_cast<std::size_t>(got)}));
      place_ += static_cast<std::uint64_t>(got);
      left -= static_cast<std::uint64_t>(got);
    }
    return file_.end();
  }

 private:
  int scratch_;
  std::uint64_t place_;
  FolderCache folders_;
  MadeFile file_;
  std::string piece_;
};

}  // namespace

Result<std::string> unpack_index(const std::filesystem::path& blob, const PatchChoice& patch, const bundle::LayerRef& layer,
                                 const std::filesystem::path& workshop, const StageOptions& options, std::stop_token stop) {
  const unpack::PatchFrame frame{.offset = 0, .size = patch.ref.index_size, .base = patch.old_index.size(), .content = layer.index.size};
  BERTH_TRY(const Fd scratch, make_scratch(workshop.string() + ".scratch", unpack::content_place(frame.base) + frame.content));
  BERTH_CHECK(files::write_all(scratch.get(), patch.old_index, "the old index"));
  BERTH_CHECK(run_frame(frame, blob, patch.ref.blob.size, scratch.get(), workshop, options, stop));
  if (::lseek(scratch.get(), static_cast<off_t>(unpack::content_place(frame.base)), SEEK_SET) < 0) return fail_errno("seek in the index");
  return files::read(scratch.get(), "the index", frame.content);
}

Result<void> run_script(const std::filesystem::path& blob, const PatchChoice& patch, const PatchParts& parts, int scratch,
                        const std::filesystem::path& workshop, const StageOptions& options, std::stop_token stop) {
  const unpack::PatchFrame frame{.offset = patch.ref.index_size,
                                 .size = patch.ref.blob.size - patch.ref.index_size,
                                 .base = parts.base_size,
                                 .content = patch.ref.script_size,
                                 .made = parts.made_size};
  return run_frame(frame, blob, patch.ref.blob.size, scratch, workshop, options, stop);
}

Result<void> make_patched(const bundle::LayerIndex& index, const PatchParts& parts, int scratch, const LinkPlan& plan, const std::filesystem::path& target,
                          std::stop_token stop) {
  BERTH_TRY(const Fd folder, make_target(target));
  BERTH_CHECK(make_without_files(folder.get(), index.entries));
  MadeFiles made(index.entries.size());
  Cutting cutting(scratch, parts.made_at, folder.get());
  for (const bundle::Entry& entry : parts.made) {
    if (stop.stop_requested()) return fail(Errc::cancelled, "unpacking was cancelled");
    const auto number = std::ranges::lower_bound(index.entries, entry.path, {}, &bundle::Entry::path) - index.entries.begin();
    BERTH_TRY(made.at(static_cast<std::size_t>(number)), cutting.cut(entry));
  }
  BERTH_CHECK(make_links(plan, folder.get(), stop));
  return compare_tree(folder.get(), index.entries, {.plan = plan, .made = made}, 0, stop);
}

}  // namespace berth::fetch
