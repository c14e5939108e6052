#include "core/trust/http_remote.h"

#include <fmt/core.h>

#include "core/trust/folder_remote.h"

namespace berth::trust {
namespace {

bool is_web(std::string_view location) { return location.starts_with("http://") || location.starts_with("https://"); }

/// A target's name may have what would end a URL's path. Other bytes that no URL has are encoded where it is asked for.
std::string within_path(std::string_view path) {
  std::string result;
  for (const char c : path) {
    if (c == '?') result += "%3F";
    else if (c == '#') result += "%23";
    else result += c;
  }
  return result;
}

std::string with_slash(std::string base) {
  if (!base.ends_with('/')) base += '/';
  return base;
}

}  // namespace

HttpRemote::HttpRemote(std::string base, io::FetchOptions options, std::stop_token stop)
    : base_(with_slash(std::move(base))), options_(std::move(options)), stop_(std::move(stop)) {}

Result<std::string> HttpRemote::get(std::string_view path, std::uint64_t most) {
  const std::string url = base_ + within_path(path);
  io::FetchOptions options = options_;
  options.from = 0;
  options.most = most;
  std::string bytes;
  const auto take = [&](std::string_view piece) -> Result<void> {
    if (piece.size() > most - bytes.size()) return fail(Errc::protocol, fmt::format("{}: longer than the {} bytes allowed", url, most));
    bytes += piece;
    return {};
  };
  BERTH_CHECK(io::http_fetch(url, options, take, stop_));
  return bytes;
}

Result<std::unique_ptr<Remote>> remote_at(const std::string& location, std::string_view below, const io::FetchOptions& options,
                                          std::stop_token stop) {
  if (is_web(location)) return std::make_unique<HttpRemote>(with_slash(location) + std::string(below), options, std::move(stop));
  if (!is_folder(location)) return fail(Errc::usage, fmt::format("{}: a repository is at http://, https://, file:// or in a folder", location));
  BERTH_TRY(const FolderRemote whole, FolderRemote::at(location));
  return std::make_unique<FolderRemote>(below.empty() ? whole.folder() : whole.folder() / below);
}

}  // namespace berth::trust
