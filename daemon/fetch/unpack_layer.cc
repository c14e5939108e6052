#include "daemon/fetch/unpack_layer.h"

#include <algorithm>
#include <csignal>
#include <cstring>
#include <iterator>
#include <set>
#include <vector>

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "core/files/files.h"
#include "core/in_parallel.h"
#include "daemon/fetch/folder_cache.h"
#include "daemon/fetch/layer_shares.h"
#include "daemon/fetch/made_tree.h"
#include "daemon/fetch/space.h"
#include "daemon/fetch/worker.h"
#include "daemon/unpack/job.h"

namespace berth::fetch {
namespace {

using bundle::LayerIndex;

constexpr std::size_t kMostWorkers = 2;  ///< at a time: each keeps a window of 8 MiB

/// What a worker is told. `early` are folders that are there before it begins.
std::string job_text(const LayerIndex& index, const LayerShare& share, const LinkPlan& plan, const std::set<std::string>& early) {
  unpack::Job job{.frames = {}, .drop = share.drop, .take = share.take, .folders = share.folders, .skip = {}};
  for (std::size_t i = share.first_frame; i < share.end_frame; ++i)
    job.frames.push_back({.offset = index.frames[i].offset, .size = index.frames[i].size, .tar_size = index.frames[i].tar_size});
  std::ranges::set_union(plan.paths, early, std::back_inserter(job.skip));
  return unpack::to_text(job);
}

Result<Fd> in_memory(const std::string& text) {
  Fd file(::memfd_create("job", MFD_CLOEXEC));
  if (!file) return fail_errno("make a file in memory");
  BERTH_CHECK(files::write_all(file.get(), text, "the worker's job"));
  if (::lseek(file.get(), 0, SEEK_SET) < 0) return fail_errno("seek in the worker's job");
  return file;
}

std::uint64_t tar_size(const LayerIndex& index) {
  std::uint64_t total = 0;
  for (const auto& frame : index.frames) total += frame.tar_size;
  return total;
}

WorkerLimits limits_for(const LayerIndex& index, std::size_t job_size) {
  WorkerLimits limits;
  // Besides decoder and program: its job as text and as strings, and the folders that the tar reader remembers.
  limits.memory += 4 * job_size + 512 * index.entries.size();
  for (const auto& entry : index.entries) limits.file_size = std::max(limits.file_size, entry.size);
  limits.cpu_seconds += tar_size(index) / (10u << 20);
  return limits;
}

Worker::Patience patience_for(const LayerIndex& index, const StageOptions& options, const std::filesystem::path& target) {
  Worker::Patience patience;
  patience.whole = std::chrono::minutes(2) + std::chrono::milliseconds(tar_size(index) / 5000);  // 5 MB/s
  patience.still_fine = [&options, &target]() -> Result<void> {
    BERTH_TRY(const std::uint64_t free, files::free_bytes(target));
    if (free >= options.reserve_bytes / 2) return {};
    return fail(Errc::no_space, fmt::format("the disk got full while unpacking: {} are free, of a reserve of {}", as_size(free), as_size(options.reserve_bytes)));
  };
  return patience;
}

/// The worker's end as a result. Its words are shown, but nothing depends on them.
Result<void> judge(const Worker::End& end) {
  const std::string words = end.words.empty() ? "it gave up without a word" : end.words;
  if (WIFSIGNALED(end.status)) {
    const int number = WTERMSIG(end.status);
    const char* why = number == SIGSYS ? "it did what it may not (a layer made to attack it?)" : "it took more than it may, or broke";
    return fail(Errc::trust, fmt::format("the unpack worker was ended by signal SIG{}: {}", ::sigabbrev_np(number), why));
  }
  switch (static_cast<unpack::Claim>(WEXITSTATUS(end.status))) {
    case unpack::Claim::done: return {};
    case unpack::Claim::no_space: return fail(Errc::no_space, words);
    case unpack::Claim::system: return fail(Errc::io, "the unpack worker: " + words);
    case unpack::Claim::refused: break;
  }
  return fail(Errc::trust, words);
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

/// Returns when all workers are dead.
Result<void> run_workers(const LayerIndex& index, const std::vector<LayerShare>& shares, const std::filesystem::path& blob_path, const LinkPlan& plan,
                         const std::filesystem::path& target, int folder, const StageOptions& options, const std::stop_token& stop) {
  std::set<std::string> early;
  for (const LayerShare& share : shares) early.insert(share.folders.begin(), share.folders.end());
  BERTH_CHECK(make_early(folder, early, options));
  BERTH_TRY(const Fd blob, files::open(blob_path, O_RDONLY));
  if (::fchown(folder, options.worker_uid, options.worker_gid) != 0) return fail_errno("give a folder to the unpack worker");
  std::vector<Worker> workers;
  for (const LayerShare& share : shares) {
    const std::string text = job_text(index, share, plan, early);
    BERTH_TRY(const Fd job, in_memory(text));
    const WorkerSpec spec{.program = options.worker_program,
                          .uid = options.worker_uid,
                          .gid = options.worker_gid,
                          .job = job.get(),
                          .blob = blob.get(),
                          .target = folder,
                          .limits = limits_for(index, text.size())};
    BERTH_TRY(Worker worker, Worker::start(spec));
    workers.push_back(std::move(worker));
  }
  for (Worker& worker : workers) {
    BERTH_TRY(const Worker::End end, worker.wait(patience_for(index, options, target), stop));
    BERTH_CHECK(judge(end));
  }
  return {};
}

Result<Fd> make_target(const std::filesystem::path& target) {
  if (::mkdir(target.c_str(), 0700) != 0) return fail_errno("make the folder " + target.string());
  return files::open(target, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
}

}  // namespace

Result<void> unpack_layer(const LayerIndex& index, const std::filesystem::path& blob, const LinkPlan& plan, const std::filesystem::path& target,
                          const StageOptions& options, std::stop_token stop) {
  BERTH_TRY(Fd folder, make_target(target));
  if (blob.empty()) {
    BERTH_CHECK(make_without_files(folder.get(), index.entries));
  } else {
    const auto shares = shares_of(index, std::min(threads_worthwhile(), kMostWorkers));
    auto done = run_workers(index, shares, blob, plan, target, folder.get(), options, stop);
    if (!done && done.error().code == Errc::trust && shares.size() > 1) {
      // Where the tar is not the one of the index, what a worker stumbles over depends on where its share begins. One that sees the whole tells what is wrong.
      BERTH_CHECK(files::remove_tree(target));
      BERTH_TRY(folder, make_target(target));
      done = run_workers(index, shares_of(index, 1), blob, plan, target, folder.get(), options, stop);
    }
    BERTH_CHECK(done);
  }
  BERTH_CHECK(make_links(plan, folder.get(), stop));
  return take_over(folder.get(), index.entries, plan, blob.empty() ? 0 : options.worker_uid, stop);
}

}  // namespace berth::fetch
