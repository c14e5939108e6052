#include "daemon/fetch/unpack_layer.h"

#include <algorithm>
#include <iterator>
#include <set>
#include <vector>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/files/files.h"
#include "core/in_parallel.h"
#include "daemon/fetch/folder_cache.h"
#include "daemon/fetch/layer_shares.h"
#include "daemon/fetch/made_tree.h"
#include "daemon/fetch/unpack_worker.h"

namespace berth::fetch {
namespace {

using bundle::LayerIndex;

constexpr std::size_t kMostWorkers = 2;  ///< at a time: each keeps a window of 8 MiB

/// What a worker is told. `early` are folders that are there before it begins.
unpack::Job job_of(const LayerIndex& index, const LayerShare& share, const LinkPlan& plan, const std::set<std::string>& early) {
  unpack::Job job{.frames = {}, .drop = share.drop, .take = share.take, .folders = share.folders};
  for (std::size_t i = share.first_frame; i < share.end_frame; ++i) job.frames.push_back(index.frames[i]);
  std::ranges::transform(plan.links, std::back_inserter(job.skip), &LinkPlan::Link::path);
  job.skip.insert(job.skip.end(), early.begin(), early.end());
  std::ranges::sort(job.skip);
  return job;
}

/// Folders that several workers fill: none of them has to wait for another to make one.
Result<void> make_early(int tree, const std::set<std::string>& folders, const StageOptions& options) {
  FolderCache cache(tree);
  for (const std::string& path : folders) {
    BERTH_TRY(const int folder, cache.folder_of(path));
    const std::string name = path.substr(path.rfind('/') + 1);
    if (::mkdirat(folder, name.c_str(), 0755) != 0) return fail_errno("make the folder " + path);
    if (::fchmodat(folder, name.c_str(), 0755, 0) != 0) return fail_errno("chmod the folder " + path);  // whatever the umask is
    if (::fchownat(folder, name.c_str(), options.worker_uid, options.worker_gid, AT_SYMLINK_NOFOLLOW) != 0)
      return fail_errno("give the folder " + path + " to the unpack worker");
  }
  return {};
}

/// A worker for each share. Returns when all are dead.
Result<void> run_on_shares(const LayerIndex& index, const std::vector<LayerShare>& shares, const std::filesystem::path& blob, const LinkPlan& plan,
                           const std::filesystem::path& target, int folder, const StageOptions& options, const std::stop_token& stop) {
  std::set<std::string> early;
  for (const LayerShare& share : shares) early.insert(share.folders.begin(), share.folders.end());
  BERTH_CHECK(make_early(folder, early, options));
  std::uint64_t tar = 0;
  for (const auto& frame : index.frames) tar += frame.tar_size;
  std::vector<Work> works;
  for (const LayerShare& share : shares)
    works.push_back({.job = job_of(index, share, plan, early),
                     .blob = blob,
                     .target = target,
                     .folder = folder,
                     .bytes = tar,
                     .largest_file = largest_file(index.entries),
                     .entries = index.entries.size()});
  return run_workers(works, Errc::trust, options, stop);
}

}  // namespace

Result<void> unpack_layer(const LayerIndex& index, const std::filesystem::path& blob, const LinkPlan& plan, const std::filesystem::path& target,
                          const StageOptions& options, std::stop_token stop) {
  BERTH_TRY(Fd folder, make_target(target));
  if (blob.empty()) {
    BERTH_CHECK(make_without_files(folder.get(), index.entries));
  } else {
    const auto shares = shares_of(index, std::min(threads_worthwhile(), kMostWorkers));
    auto done = run_on_shares(index, shares, blob, plan, target, folder.get(), options, stop);
    if (!done && done.error().code == Errc::trust && shares.size() > 1) {
      // Where the tar is not the one of the index, what a worker stumbles over depends on where its share begins. One that sees the whole tells what is wrong.
      BERTH_CHECK(files::remove_tree(target));
      BERTH_TRY(folder, make_target(target));
      done = run_on_shares(index, shares_of(index, 1), blob, plan, target, folder.get(), options, stop);
    }
    BERTH_CHECK(done);
  }
  BERTH_CHECK(make_links(plan, folder.get(), stop));
  return take_over(folder.get(), index.entries, plan, blob.empty() ? 0 : options.worker_uid, stop);
}

}  // namespace berth::fetch
