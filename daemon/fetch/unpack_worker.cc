#include "daemon/fetch/unpack_worker.h"

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstring>

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/files/files.h"
#include "daemon/fetch/space.h"

namespace berth::fetch {
namespace {

using namespace std::chrono_literals;

Result<Fd> in_memory(const std::string& text) {
  Fd file(::memfd_create("job", MFD_CLOEXEC));
  if (!file) return fail_errno("make a file in memory");
  BERTH_CHECK(files::write_all(file.get(), text, "the worker's job"));
  if (::lseek(file.get(), 0, SEEK_SET) < 0) return fail_errno("seek in the worker's job");
  return file;
}

std::chrono::seconds processor_for(const Work& work) { return std::chrono::seconds(WorkerLimits().cpu_seconds + work.bytes / (10u << 20)); }

WorkerLimits limits_for(const Work& work, std::size_t job_size) {
  WorkerLimits limits;
  // Besides decoder and program: its job as text and as strings, the folders that the tar reader remembers, and what it maps.
  limits.memory += 4 * job_size + 512 * work.entries + work.mapped;
  limits.file_size = work.largest_file;
  limits.cpu_seconds = static_cast<std::uint64_t>(processor_for(work).count());
  return limits;
}

Worker::Patience patience_for(const Work& work, const StageOptions& options) {
  Worker::Patience patience;
  patience.whole = std::chrono::minutes(2) + std::chrono::milliseconds(work.bytes / 5000);  // 5 MB/s
  if (work.job.patch) patience.stalled = patience.whole;  // a frame is decoded in one go, and nothing is told meanwhile
  patience.still_fine = [&options, target = work.target]() -> Result<void> {
    BERTH_TRY(const std::uint64_t free, files::free_bytes(target));
    if (free >= options.reserve_bytes / 2) return {};
    const std::string reserve = as_size(options.reserve_bytes);
    return fail(Errc::no_space, fmt::format("the disk got full while unpacking: {} are free, of a reserve of {}", as_size(free), reserve));
  };
  return patience;
}

Result<Worker> start_worker(const Work& work, const StageOptions& options) {
  const std::string text = unpack::to_text(work.job);
  BERTH_TRY(const Fd job, in_memory(text));
  BERTH_TRY(const Fd blob, files::open(work.blob, O_RDONLY));
  if (::fchown(work.folder, options.worker_uid, options.worker_gid) != 0) return fail_errno("give a folder to the unpack worker");
  const WorkerSpec spec{.program = options.worker_program,
                        .uid = options.worker_uid,
                        .gid = options.worker_gid,
                        .job = job.get(),
                        .blob = blob.get(),
                        .target = work.folder,
                        .scratch = work.tar ? work.tar.get() : work.scratch,
                        .limits = limits_for(work, text.size())};
  return Worker::start(spec);
}

/// The worker's end as a result. Its words are shown, but nothing depends on them.
Result<void> judge(const Worker::End& end, Errc killed, std::chrono::seconds most) {
  const std::string words = end.words.empty() ? "it gave up without a word" : end.words;
  if (WIFSIGNALED(end.status)) {
    const int number = WTERMSIG(end.status);
    if (number == SIGKILL && end.processor < most - 1s)  // nothing that a layer can have done
      return fail(Errc::io, "the unpack worker was killed from outside (SIGKILL: by somebody, or since this machine's memory was used up): deploy again");
    const char* why = number == SIGSYS ? "it did what it may not (a layer made to attack it?)" : "it took more than it may, or broke";
    return fail(killed, fmt::format("the unpack worker was ended by signal SIG{}: {}", ::sigabbrev_np(number), why));
  }
  switch (static_cast<unpack::Claim>(WEXITSTATUS(end.status))) {
    case unpack::Claim::done: return {};
    case unpack::Claim::no_space: return fail(Errc::no_space, words);
    case unpack::Claim::system: return fail(Errc::io, "the unpack worker: " + words);
    case unpack::Claim::refused: break;
  }
  return fail(Errc::trust, words);
}

Result<void> start_and_wait(std::vector<Worker>& workers, std::vector<Work>& works, Errc killed, const StageOptions& options,
                            const std::stop_token& stop) {
  for (Work& work : works) {
    BERTH_TRY(Worker worker, start_worker(work, options));
    work.tar.reset();
    workers.push_back(std::move(worker));
  }
  for (std::size_t i = 0; i < works.size(); ++i) {
    BERTH_TRY(const Worker::End end, workers[i].wait(patience_for(works[i], options), stop));
    BERTH_CHECK(judge(end, killed, processor_for(works[i])));
  }
  return {};
}

}  // namespace

std::uint64_t largest_file(const std::vector<bundle::Entry>& entries) {
  std::uint64_t largest = 0;
  for (const bundle::Entry& entry : entries) largest = std::max(largest, entry.size);
  return largest;
}

Result<void> run_workers(std::vector<Work>& works, Errc killed, const StageOptions& options, const std::stop_token& stop) {
  std::vector<Worker> workers;
  auto done = start_and_wait(workers, works, killed, options, stop);
  if (done) return done;
  // The others' work is for nothing now. Where one of them cannot be ended, nothing else may be done with what it was given.
  for (Worker& worker : workers) BERTH_CHECK(worker.end());
  return done;
}

}  // namespace berth::fetch
