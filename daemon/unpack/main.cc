// berth-unpack: decodes a layer into a pipe, or makes what a patch makes in one file, without any right to do more. berthd starts it, gives it what it needs as descriptors, and
// believes nothing it says.

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>

#include <fcntl.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "core/bundle/frame_reader.h"
#include "core/bundle/tar_reader.h"
#include "core/files/files.h"
#include "daemon/unpack/job.h"
#include "daemon/unpack/patched.h"
#include "daemon/unpack/sandbox.h"
#include "daemon/unpack/tree_writer.h"

namespace berth::unpack {
namespace {

constexpr std::size_t kMostJob = 256u << 20;

/// Tells berthd that it goes on. A berthd that is gone wants nothing any more.
class Progress {
 public:
  void add(std::size_t bytes) {
    since_ += bytes;
    if (since_ < (1u << 20)) return;
    since_ = 0;
    if (::write(kProgress, ".", 1) != 1) ::_exit(static_cast<int>(Claim::system));
  }

 private:
  std::size_t since_ = 0;
};

/// Cuts this worker's share out of the tar of its frames.
class Share {
 public:
  explicit Share(const Job& job) : drop_(job.drop), whole_(job.take == 0), left_(job.take) {}

  /// What of the next piece belongs to it.
  std::string_view of(std::string_view piece) {
    const std::string_view behind = piece.substr(static_cast<std::size_t>(std::min<std::uint64_t>(drop_, piece.size())));
    drop_ -= piece.size() - behind.size();
    if (whole_) return behind;
    const std::string_view own = behind.substr(0, static_cast<std::size_t>(std::min<std::uint64_t>(left_, behind.size())));
    left_ -= own.size();
    return own;
  }
  bool goes_on() const { return whole_ || left_ > 0; }

 private:
  std::uint64_t drop_;
  bool whole_;
  std::uint64_t left_;
};

/// Hands the tar on as it is, but for what nobody needs of it.
class Pouring {
 public:
  explicit Pouring(const std::vector<Gap>& gaps) : gap_(gaps.begin()), end_(gaps.end()) {}

  Result<void> add(std::string_view piece) {
    while (!piece.empty()) {
      const bool in_gap = gap_ != end_ && gap_->at <= at_;
      const std::uint64_t until = gap_ == end_ ? at_ + piece.size() : in_gap ? gap_->at + gap_->size : gap_->at;
      const std::string_view next = piece.substr(0, static_cast<std::size_t>(std::min<std::uint64_t>(until - at_, piece.size())));
      if (!in_gap) BERTH_CHECK(write(next));
      piece.remove_prefix(next.size());
      at_ += next.size();
      if (in_gap && at_ == until) ++gap_;
    }
    return {};
  }

 private:
  static Result<void> write(std::string_view bytes) {
    auto written = files::write_all(kTar, bytes, "the tar");
    if (!written && errno == EPIPE) return fail(Errc::trust, "berthd takes no more of it");
    return written;
  }

  std::vector<Gap>::const_iterator gap_, end_;
  std::uint64_t at_ = 0;
};

/// Hands a piece of tar on to what writes it.
Result<void> take(bundle::TarReader& reader, TreeWriter& writer, std::string_view piece) {
  using Step = bundle::TarReader::Step;
  while (true) {
    BERTH_TRY(const Step step, reader.next(piece));
    if (step == Step::more) return {};
    BERTH_CHECK(step == Step::entry ? writer.enter(reader.entry()) : writer.write(reader.data()));
  }
}

/// Makes what the tar holds.
Result<void> write(const Job& job) {
  TreeWriter writer(kTarget);
  bundle::TarReader reader;
  Progress progress;
  const auto add = [&](std::string_view piece) -> Result<bool> {
    progress.add(piece.size());
    BERTH_CHECK(take(reader, writer, piece));
    return true;
  };
  BERTH_CHECK(bundle::decode_frames(kBlob, job.frames, add));
  return reader.finish();
}

Result<void> pour(const Job& job) {
  Share share(job);
  Pouring pouring(job.gaps);
  Progress progress;
  const auto add = [&](std::string_view piece) -> Result<bool> {
    progress.add(piece.size());
    BERTH_CHECK(pouring.add(share.of(piece)));
    return share.goes_on();
  };
  return bundle::decode_frames(kBlob, job.frames, add);
}

Result<void> run() {
  BERTH_CHECK(enter_sandbox(kTarget));
  BERTH_TRY(const std::string text, files::read(kJob, "the job", kMostJob));
  BERTH_TRY(const Job job, parse_job(text));
  if (job.patch) return decode_patch(kBlob, kScratch, *job.patch);
  return job.pour ? pour(job) : write(job);
}

Claim claim_of(const Error& error) {
  if (error.code == Errc::no_space) return Claim::no_space;
  return error.code == Errc::trust ? Claim::refused : Claim::system;
}

}  // namespace
}  // namespace berth::unpack

int main(int argc, char**) {
  using namespace berth::unpack;
  if (argc > 1 || ::fcntl(kTarget, F_GETFD) < 0) {
    std::fputs("berth-unpack takes no arguments: berthd starts it, with descriptors to work on.\n", stderr);
    return static_cast<int>(Claim::system);
  }
  ::prctl(PR_SET_NAME, "berth-unpack");
  const auto done = run();
  if (done) return static_cast<int>(Claim::done);
  const std::string words = done.error().message + '\n';
  [[maybe_unused]] const ssize_t told = ::write(kWords, words.data(), words.size());
  return static_cast<int>(claim_of(done.error()));
}
