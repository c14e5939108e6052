#include "daemon/fetch/pour_layer.h"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <memory>
#include <system_error>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include "core/bundle/tar_header.h"
#include "core/files/files.h"
#include "core/in_parallel.h"
#include "daemon/fetch/layer_shares.h"
#include "daemon/fetch/made_tree.h"
#include "daemon/fetch/unpack_worker.h"

namespace berth::fetch {
namespace {

using bundle::Entry;
using bundle::LayerIndex;

constexpr std::size_t kMostWorkers = 2;             ///< at a time: each keeps a window of 8 MiB
constexpr int kPipeSize = 1 << 20;                  ///< bytes that a worker may be ahead
constexpr std::size_t kPouredPiece = 128u << 10;    ///< fits into a processor's own cache
constexpr int kLookAgain = 100;                     ///< milliseconds

/// What one worker pours: the entries of its share, and what of their tar does not come, since they are linked.
struct Poured {
  EntryRun run;
  std::vector<unpack::Gap> gaps;
};

/// From entry `first` on, `take` bytes of tar; 0: all.
Poured poured_of(const std::vector<Entry>& entries, std::size_t first, std::uint64_t take, const LinkPlan& plan) {
  Poured poured{.run = {first, first}, .gaps = {}};
  std::uint64_t at = 0;
  auto link = std::ranges::lower_bound(plan.links, first < entries.size() ? entries[first].path : std::string(), {}, &LinkPlan::Link::path);
  for (; poured.run.end < entries.size() && (take == 0 || at < take); ++poured.run.end) {
    const Entry& entry = entries[poured.run.end];
    at += bundle::tar_size(entry);
    if (link == plan.links.end() || link->path != entry.path) continue;
    ++link;
    const std::uint64_t content = entry.size + bundle::tar_padding(entry.size);
    if (content > 0) poured.gaps.push_back({at - content, content});
  }
  return poured;
}

/// A thread that makes files of what comes out of a pipe, until nobody can pour into it any more.
class Taking {
 public:
  Taking(Fd pipe, std::unique_ptr<PouredFiles> files) : pipe_(std::move(pipe)), files_(std::move(files)) {}

  Result<void> start() {
    try {
      thread_ = std::jthread([this] {
        result_ = take_all();
        pipe_.reset();  // who pours on then is ended by it
      });
    } catch (const std::system_error& failure) {
      return fail_errno("start a thread", failure.code().value());
    }
    return {};
  }

  /// Once no worker is left that could pour; but for one that the kernel holds on to.
  void end() {
    over_ = true;
    if (thread_.joinable()) thread_.join();
  }
  // After that:
  bool came_to_an_end() const { return ended_; }  ///< of what was poured
  const Result<void>& result() const { return result_; }

 private:
  Result<void> take_all() {
    std::string piece(kPouredPiece, '\0');
    while (true) {
      const bool was_over = over_;  // before it is read: whatever was poured is in the pipe then
      const ssize_t got = ::read(pipe_.get(), piece.data(), piece.size());
      // A process that berthd has just forked for something else may have the pipe, too, for a moment, and pours nothing.
      ended_ = got == 0 || (got < 0 && errno == EAGAIN && was_over);
      if (ended_) return files_->finish();
      if (got > 0) {
        BERTH_CHECK(files_->take({piece.data(), static_cast<std::size_t>(got)}));
        continue;
      }
      if (errno == EINTR) continue;
      if (errno != EAGAIN) return fail_errno("read what an unpack worker pours");
      pollfd more{.fd = pipe_.get(), .events = POLLIN, .revents = 0};
      ::poll(&more, 1, kLookAgain);
    }
  }

  Fd pipe_;
  std::unique_ptr<PouredFiles> files_;
  std::atomic<bool> over_{false};
  bool ended_ = false;   ///< this and the next one are the thread's, until it was joined
  Result<void> result_;
  std::jthread thread_;
};

/// What went wrong, and counts: what berthd saw itself before what is said of a worker, and that before that too little came of it.
Result<void> judge(std::vector<std::unique_ptr<Taking>>& takings, Result<void> worked) {
  for (auto& taking : takings) taking->end();
  for (const auto& taking : takings)
    if (!taking->came_to_an_end()) BERTH_CHECK(taking->result());
  BERTH_CHECK(std::move(worked));
  for (const auto& taking : takings) BERTH_CHECK(taking->result());
  return {};
}

}  // namespace

Result<void> pour_layer(const LayerIndex& index, const std::filesystem::path& blob, const LinkPlan& plan, int tree, const std::filesystem::path& workshop,
                        MadeFiles& made, const StageOptions& options, const std::stop_token& stop) {
  BERTH_TRY(const Fd folder, make_target(workshop));
  std::uint64_t tar = 0;
  for (const auto& frame : index.frames) tar += frame.tar_size;
  made.assign(index.entries.size(), {});
  std::vector<std::unique_ptr<Taking>> takings;
  std::vector<Work> works;
  std::size_t next = 0;
  for (const LayerShare& share : shares_of(index, std::min(threads_worthwhile(), kMostWorkers))) {
    Poured poured = poured_of(index.entries, next, share.take, plan);
    next = poured.run.end;
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) return fail_errno("make a pipe");
    Fd reading(ends[0]), writing(ends[1]);
    if (::fcntl(reading.get(), F_SETFL, O_NONBLOCK) != 0) return fail_errno("make a pipe");
    ::fcntl(writing.get(), F_SETPIPE_SZ, kPipeSize);  // a smaller one does as well, and takes longer
    unpack::Job job{.frames = {}, .pour = true, .drop = share.drop, .take = share.take, .gaps = std::move(poured.gaps)};
    for (std::size_t i = share.first_frame; i < share.end_frame; ++i) job.frames.push_back(index.frames[i]);
    works.push_back({.job = std::move(job), .blob = blob, .target = workshop, .folder = folder.get(), .tar = std::move(writing), .bytes = tar});
    takings.push_back(std::make_unique<Taking>(std::move(reading), std::make_unique<PouredFiles>(tree, index.entries, poured.run, plan, made)));
  }
  Result<void> worked;
  for (auto& taking : takings)
    if (worked) worked = taking->start();
  if (worked) worked = run_workers(works, Errc::trust, options, stop);
  works.clear();  // and with them the ends of pipes that no worker was given
  auto done = judge(takings, std::move(worked));
  auto removed = files::remove_tree(workshop);
  return done ? removed : done;
}

}  // namespace berth::fetch
