#include "daemon/fetch/unpack_layer.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "core/bundle/tree.h"
#include "core/files/files.h"
#include "daemon/fetch/made_tree.h"
#include "daemon/fetch/unpack_worker.h"

namespace berth::fetch {
namespace {

using bundle::LayerIndex;

Result<Fd> make_target(const std::filesystem::path& target) {
  if (::mkdir(target.c_str(), 0700) != 0) return fail_errno("make the folder " + target.string());
  return files::open(target, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
}

Result<void> run_on_layer(const LayerIndex& index, const std::filesystem::path& blob, const LinkPlan& plan, const std::filesystem::path& target, int folder,
                          const StageOptions& options, const std::stop_token& stop) {
  unpack::Job job{.frames = index.frames, .patch = {}, .skip = {plan.paths.begin(), plan.paths.end()}};
  std::uint64_t tar = 0;
  for (const auto& frame : index.frames) tar += frame.tar_size;
  const Work work{.job = job, .blob = blob, .target = target, .folder = folder, .bytes = tar, .largest_file = largest_file(index.entries), .entries = index.entries.size()};
  BERTH_TRY(const Worker::End end, run_worker(work, options, stop));
  return judge(end, Errc::trust);
}

/// The worker is dead: what it left becomes ours, what is linked comes to it, and then every byte is looked at.
Result<void> complete(const LayerIndex& index, const LinkPlan& plan, const std::filesystem::path& target, int folder, const std::stop_token& stop) {
  BERTH_CHECK(make_links(plan, folder, stop));
  BERTH_TRY(const bundle::Tree tree, bundle::list_tree(target, {.strict = false, .leave_out = {}, .stop = stop}));
  return bundle::check_same(tree.entries, index.entries);
}

}  // namespace

Result<void> unpack_layer(const LayerIndex& index, const std::filesystem::path& blob, const LinkPlan& plan, const std::filesystem::path& target,
                          const StageOptions& options, std::stop_token stop) {
  BERTH_TRY(const Fd folder, make_target(target));
  if (blob.empty()) {
    BERTH_CHECK(make_without_files(folder.get(), index.entries));
  } else {
    BERTH_CHECK(run_on_layer(index, blob, plan, target, folder.get(), options, stop));
    BERTH_CHECK(take_over(folder.get(), index.entries, plan.paths, options.worker_uid));
  }
  return complete(index, plan, target, folder.get(), stop);
}

Result<void> unpack_patch(const LayerIndex& index, const std::filesystem::path& blob, const PatchChoice& patch, int scratch, const LinkPlan& plan,
                          const std::filesystem::path& target, const StageOptions& options, std::stop_token stop) {
  BERTH_TRY(const Fd folder, make_target(target));
  const PatchSizes sizes = sizes_of(patch, index);
  unpack::Job job{.frames = {},
                  .patch = unpack::PatchFrame{.offset = patch.ref.index_size, .size = patch.ref.blob.size - patch.ref.index_size, .base = sizes.base,
                                              .content = patch.ref.script_size, .tar_size = sizes.made},
                  .skip = {plan.paths.begin(), plan.paths.end()}};
  const Work work{.job = job, .blob = blob, .target = target, .folder = folder.get(), .scratch = scratch, .bytes = sizes.scratch + sizes.made,
                  .mapped = sizes.scratch + patch.ref.blob.size, .largest_file = largest_file(index.entries), .entries = index.entries.size()};
  BERTH_TRY(const Worker::End end, run_worker(work, options, stop));
  BERTH_CHECK(judge(end, Errc::io));
  BERTH_CHECK(take_over(folder.get(), index.entries, plan.paths, options.worker_uid));
  return complete(index, plan, target, folder.get(), stop);
}

Result<std::string> unpack_index(const std::filesystem::path& blob, const PatchChoice& patch, const bundle::LayerRef& layer,
                                 const std::filesystem::path& workshop, const StageOptions& options, std::stop_token stop) {
  const std::uint64_t place = unpack::content_place(patch.old_index.size());
  BERTH_TRY(const Fd scratch, make_scratch(workshop.string() + ".scratch", place + layer.index.size));
  BERTH_CHECK(files::write_all(scratch.get(), patch.old_index, "the old index"));
  BERTH_TRY(const Fd folder, make_target(workshop));
  const unpack::Job job{.frames = {},
                        .patch = unpack::PatchFrame{.offset = 0, .size = patch.ref.index_size, .base = patch.old_index.size(), .content = layer.index.size},
                        .skip = {}};
  const Work work{.job = job, .blob = blob, .target = workshop, .folder = folder.get(), .scratch = scratch.get(), .bytes = place + layer.index.size,
                  .mapped = place + layer.index.size + patch.ref.blob.size};
  const auto end = run_worker(work, options, stop);
  BERTH_CHECK(files::remove_tree(workshop));
  BERTH_CHECK(end);
  BERTH_CHECK(judge(*end, Errc::io));
  if (::lseek(scratch.get(), static_cast<off_t>(place), SEEK_SET) < 0) return fail_errno("seek in the index");
  return files::read(scratch.get(), "the index", layer.index.size);
}

}  // namespace berth::fetch
