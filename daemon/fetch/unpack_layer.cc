#include "daemon/fetch/unpack_layer.h"

#include "core/files/files.h"
#include "daemon/fetch/made_tree.h"
#include "daemon/fetch/pour_layer.h"
#include "daemon/fetch/unpack_worker.h"

namespace berth::fetch {
namespace {

using bundle::LayerIndex;

/// Where the tar is not the one of the index: a worker writes what it holds into a folder of its own, so that the error can tell how they differ. What is in there
/// is compared and never used. `otherwise` where nothing is found.
Error explain(const LayerIndex& index, const std::filesystem::path& blob, const std::filesystem::path& target, Error otherwise, const StageOptions& options,
              const std::stop_token& stop) {
  const auto look = [&]() -> Result<void> {
    BERTH_TRY(const Fd folder, make_target(target));
    std::uint64_t tar = 0;
    for (const auto& frame : index.frames) tar += frame.tar_size;
    std::vector<Work> works;
    works.push_back({.job = {.frames = index.frames},
                     .blob = blob,
                     .target = target,
                     .folder = folder.get(),
                     .bytes = tar,
                     .largest_file = largest_file(index.entries),
                     .entries = index.entries.size()});
    BERTH_CHECK(run_workers(works, Errc::trust, options, stop));
    return compare_tree(folder.get(), index.entries, {.plan = {}, .made = {}}, options.worker_uid, stop);
  };
  auto looked = look();
  return looked ? std::move(otherwise) : std::move(looked.error());
}

Result<void> pour(const LayerIndex& index, const std::filesystem::path& blob, const LinkPlan& plan, const std::filesystem::path& target,
                  const StageOptions& options, const std::stop_token& stop) {
  BERTH_TRY(const Fd folder, make_target(target));
  BERTH_CHECK(make_without_files(folder.get(), index.entries));
  MadeFiles made;
  if (!blob.empty()) BERTH_CHECK(pour_layer(index, blob, plan, folder.get(), target.string() + ".workshop", made, options, stop));
  BERTH_CHECK(make_links(plan, folder.get(), stop));
  return compare_tree(folder.get(), index.entries, {.plan = plan, .made = made}, 0, stop);
}

}  // namespace

Result<void> unpack_layer(const LayerIndex& index, const std::filesystem::path& blob, const LinkPlan& plan, const std::filesystem::path& target,
                          const StageOptions& options, std::stop_token stop) {
  auto done = pour(index, blob, plan, target, options, stop);
  if (done || done.error().code != Errc::trust || blob.empty()) return done;
  BERTH_CHECK(files::remove_tree(target));
  return std::unexpected(explain(index, blob, target, std::move(done.error()), options, stop));
}

}  // namespace berth::fetch
