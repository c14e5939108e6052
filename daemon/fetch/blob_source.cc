#include "daemon/fetch/blob_source.h"

#include <algorithm>

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/files/files.h"
#include "core/trust/folder_remote.h"

namespace berth::fetch {
namespace {

constexpr std::chrono::seconds kConnect{10};
constexpr std::chrono::seconds kStall{10};  ///< a stall is tried again, so all in all it may last some times that
constexpr std::uint64_t kLeastRate = 1024;  ///< bytes a second, over kLeastOver: a server that gives a byte every nine seconds holds a visit no longer
constexpr std::chrono::seconds kLeastOver{30};

class WebSource : public BlobSource {
 public:
  WebSource(std::string url, io::FetchOptions options) : url_(std::move(url)), options_(std::move(options)) {
    if (!url_.ends_with('/')) url_ += '/';
  }

  Result<void> read(const std::string& path, std::uint64_t from, std::uint64_t most, const Sink& sink, std::stop_token stop) override {
    io::FetchOptions options = options_;
    options.from = from;
    options.most = most;
    return io::http_fetch(url_ + path, options, sink, std::move(stop));
  }

 private:
  std::string url_;
  io::FetchOptions options_;
};

class FolderSource : public BlobSource {
 public:
  explicit FolderSource(std::filesystem::path folder) : folder_(std::move(folder)) {}

  Result<void> read(const std::string& path, std::uint64_t from, std::uint64_t most, const Sink& sink, std::stop_token stop) override {
    const auto folder = files::open(folder_, O_PATH | O_DIRECTORY);
    if (!folder) return fail(Errc::unreachable, "repository: " + folder.error().message);
    // Without O_NONBLOCK a named pipe would hold the caller for ever.
    auto file = files::open_below(folder->get(), path, O_RDONLY | O_NONBLOCK);
    if (!file) return pass(std::move(file.error()), folder_.string());
    struct stat about {};
    if (::fstat(file->get(), &about) != 0) return fail_errno("stat " + path);
    if (!S_ISREG(about.st_mode)) return fail(Errc::protocol, fmt::format("{}: is not a regular file", (folder_ / path).string()));
    return copy(file->get(), path, from, most, sink, stop);
  }

 private:
  Result<void> copy(int file, const std::string& path, std::uint64_t from, std::uint64_t most, const Sink& sink, const std::stop_token& stop) {
    std::string piece(256u << 10, '\0');
    while (most > 0) {
      if (stop.stop_requested()) return fail(Errc::cancelled, fmt::format("reading {} was cancelled", path));
      const auto want = static_cast<std::size_t>(std::min<std::uint64_t>(piece.size(), most));
      const ssize_t got = ::pread(file, piece.data(), want, static_cast<off_t>(from));
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return fail_errno("read " + (folder_ / path).string());
      if (got == 0) break;
      BERTH_CHECK(sink({piece.data(), static_cast<std::size_t>(got)}));
      from += static_cast<std::uint64_t>(got);
      most -= static_cast<std::uint64_t>(got);
    }
    return {};
  }

  std::filesystem::path folder_;
};

}  // namespace

io::FetchOptions fetch_options(const io::TlsOptions& tls) {
  io::FetchOptions options;
  options.connect_timeout = kConnect;
  options.stall_timeout = kStall;
  options.least_bytes_per_second = kLeastRate;
  options.least_over = kLeastOver;
  options.tls = tls;
  options.user_agent = "berthd/" BERTH_VERSION;
  return options;
}

Result<std::unique_ptr<BlobSource>> blob_source_at(const std::string& url, const io::FetchOptions& options) {
  if (url.starts_with("http://") || url.starts_with("https://")) return std::make_unique<WebSource>(url, options);
  BERTH_TRY(const trust::FolderRemote folder, trust::FolderRemote::at(url));
  return std::make_unique<FolderSource>(folder.folder());
}

}  // namespace berth::fetch
