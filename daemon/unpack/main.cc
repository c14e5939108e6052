// berth-unpack: decodes and unpacks one layer into one folder, without any right to do more. berthd starts it, gives it what it needs as
// descriptors, and believes nothing it says.

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string>

#include <fcntl.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "core/bundle/tar_reader.h"
#include "core/files/files.h"
#include "daemon/unpack/frames.h"
#include "daemon/unpack/job.h"
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

/// Hands a piece of tar on to what writes it.
Result<void> take(bundle::TarReader& reader, TreeWriter& writer, std::string_view piece) {
  using Step = bundle::TarReader::Step;
  while (true) {
    BERTH_TRY(const Step step, reader.next(piece));
    if (step == Step::more) return {};
    BERTH_CHECK(step == Step::entry ? writer.enter(reader.entry()) : writer.write(reader.data()));
  }
}

Result<void> run() {
  BERTH_CHECK(enter_sandbox(kTarget));
  BERTH_TRY(const std::string text, files::read(kJob, "the job", kMostJob));
  BERTH_TRY(const Job job, parse_job(text));
  TreeWriter writer(kTarget, job.skip);
  bundle::TarReader reader;
  Progress progress;
  const auto sink = [&](std::string_view piece) {
    progress.add(piece.size());
    return take(reader, writer, piece);
  };
  BERTH_CHECK(decode_frames(kBlob, job.frames, sink));
  return reader.finish();
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
