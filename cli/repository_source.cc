#include "cli/repository_source.h"

#include <algorithm>
#include <chrono>

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/exit_code.h"
#include "core/files/files.h"
#include "core/trust/folder_remote.h"
#include "core/trust/http_remote.h"
#include "core/trust/limits.h"

namespace berth::cli {
namespace {

namespace fs = std::filesystem;
using Sink = std::function<Result<void>(std::string_view)>;

constexpr std::size_t kPiece = 256u << 10;

io::FetchOptions fetch_options(const io::TlsOptions& tls) {
  io::FetchOptions options;
  options.connect_timeout = std::chrono::seconds(10);
  options.stall_timeout = std::chrono::seconds(20);
  options.tls = tls;
  options.user_agent = "berth/" BERTH_VERSION;
  return options;
}

Result<void> read_below(const fs::path& folder, const std::string& path, std::uint64_t from, std::uint64_t most, const Sink& sink) {
  BERTH_TRY(const Fd top, files::open(folder, O_PATH | O_DIRECTORY));
  BERTH_TRY(const Fd file, files::open_below(top.get(), path, O_RDONLY | O_NONBLOCK));
  struct stat about {};
  if (::fstat(file.get(), &about) != 0) return fail_errno("look at " + path);
  if (!S_ISREG(about.st_mode)) return fail(Errc::trust, path + ": is no file");
  std::string piece(kPiece, '\0');
  while (most > 0) {
    const ssize_t got = ::pread(file.get(), piece.data(), static_cast<std::size_t>(std::min<std::uint64_t>(piece.size(), most)), static_cast<off_t>(from));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail_errno("read " + path);
    if (got == 0) break;
    BERTH_CHECK(sink({piece.data(), static_cast<std::size_t>(got)}));
    from += static_cast<std::uint64_t>(got);
    most -= static_cast<std::uint64_t>(got);
  }
  return {};
}

}  // namespace

release_file::Source OpenRepository::source() const {
  return {.metadata = *metadata, .targets = *targets, .blob = blob, .root = root, .now = std::chrono::system_clock::now()};
}

Result<OpenRepository> open_repository(const RepositoryLocation& location) {
  const io::FetchOptions options = fetch_options(location.tls);
  OpenRepository opened;
  BERTH_TRY(opened.metadata, trust::remote_at(location.at, "metadata", options));
  BERTH_TRY(opened.targets, trust::remote_at(location.at, "targets", options));
  if (trust::is_folder(location.at)) {
    BERTH_TRY(const auto folder, trust::FolderRemote::at(location.at));
    opened.blob = [path = folder.folder()](const std::string& blob, std::uint64_t from, std::uint64_t most, const Sink& sink) {
      return read_below(path, blob, from, most, sink);
    };
    const fs::path root = location.root.empty() ? folder.folder() / "metadata/1.root.json" : fs::path(location.root);
    BERTH_TRY(opened.root, files::read(root, trust::kMostRoot));
    return opened;
  }
  if (location.root.empty())
    return fail(Errc::usage, fmt::format("say what of {} is believed: --root FILE, its first root.json, which came to you by a way you trust", location.at));
  BERTH_TRY(opened.root, files::read(location.root, trust::kMostRoot));
  const std::string base = location.at.ends_with('/') ? location.at : location.at + "/";
  opened.blob = [base, options](const std::string& blob, std::uint64_t from, std::uint64_t most, const Sink& sink) {
    io::FetchOptions ranged = options;
    ranged.from = from;
    ranged.most = most;
    return io::http_fetch(base + blob, ranged, sink);
  };
  return opened;
}

Result<std::unique_ptr<trust::Remote>> open_metadata(const RepositoryLocation& location) {
  return trust::remote_at(location.at, "metadata", fetch_options(location.tls));
}

Error of_repository(Error error, const std::string& at) {
  // Exit code 6 says that berthd does not answer.
  if (exit_code(error.code) == Exit::unreachable) error = {Errc::io, "the repository cannot be reached: " + error.message};
  error.message = at + ": " + error.message;
  return error;
}

std::vector<Option> location_options(RepositoryLocation& into, std::string what_repo) {
  return {{"--repo", "DIR|URL", std::move(what_repo), &into.at, Completes::folder},
          {"--root", "FILE", "its root.json that you trust; needed with a URL", &into.root, Completes::file},
          {"--ca-file", "FILE", "for https: the CAs (PEM) that may vouch for the server", &into.tls.ca_file, Completes::file}};
}

}  // namespace berth::cli
