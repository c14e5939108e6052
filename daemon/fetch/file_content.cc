#include "daemon/fetch/file_content.h"

#include <cerrno>

#include <unistd.h>

#include "core/crypto/sha256.h"

namespace berth::fetch {
namespace {

constexpr std::size_t kContentPiece = 256u << 10;
constexpr std::size_t kMostOfRun = 64;
constexpr std::uint64_t kMostBytesOfRun = 4u << 20;

}  // namespace

Result<void> FileContent::read(int file, const std::string& name, const std::stop_token& stop, const std::function<Result<void>(std::string_view)>& take) {
  piece_.resize(kContentPiece);
  while (true) {
    const ssize_t got = ::read(file, piece_.data(), piece_.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail_errno("read " + name);
    if (got == 0) return {};
    if (stop.stop_requested()) return fail(Errc::cancelled, "reading " + name + " was cancelled");
    BERTH_CHECK(take(std::string_view(piece_.data(), static_cast<std::size_t>(got))));
  }
}

Result<std::string> FileContent::sha256(int file, const std::string& name, const std::stop_token& stop) {
  crypto::Sha256 hash;
  const auto add = [&hash](std::string_view piece) -> Result<void> {
    hash.update(piece);
    return {};
  };
  BERTH_CHECK(read(file, name, stop, add));
  return hash.hex();
}

std::vector<EntryRun> runs_of(const std::vector<bundle::Entry>& entries) {
  std::vector<EntryRun> runs;
  std::uint64_t bytes = 0;
  for (std::size_t i = 0; i < entries.size(); ++i) {
    bytes += entries[i].size;
    if (runs.empty() || i - runs.back().begin == kMostOfRun || bytes > kMostBytesOfRun) {
      runs.push_back({i, i});
      bytes = entries[i].size;
    }
    runs.back().end = i + 1;
  }
  return runs;
}

}  // namespace berth::fetch
