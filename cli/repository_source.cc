#include "cli/repository_source.h"

#include <chrono>
#include <filesystem>

#include <fmt/core.h>

#include "cli/traced_repository.h"
#include "core/exit_code.h"
#include "core/files/files.h"
#include "core/trust/folder_remote.h"
#include "core/trust/http_remote.h"
#include "core/trust/limits.h"
#include "daemon/fetch/blob_source.h"
#include "daemon/fetch/retrying_remote.h"

namespace berth::cli {
namespace {

namespace fs = std::filesystem;
using Sink = std::function<Result<void>(std::string_view)>;

constexpr std::chrono::minutes kMostMetadataTime{2};  ///< for one file of metadata

/// The same repository at several places: how each of them is asked.
struct Place {
  std::string url;
  io::FetchOptions options;
};

Result<std::unique_ptr<trust::Remote>> remote_at(fetch::Mirrors& mirrors, const std::vector<Place>& places, std::string_view below, const Tell& tell) {
  std::vector<std::unique_ptr<trust::Remote>> remotes;
  for (const Place& place : places) {
    io::FetchOptions options = place.options;
    options.total_timeout = kMostMetadataTime;
    BERTH_TRY(auto remote, trust::remote_at(place.url, below, options));
    remotes.push_back(traced(std::move(remote), fmt::format("{}/{}", place.url, below), tell));
  }
  return std::make_unique<fetch::RetryingRemote>(fetch::mirrored(mirrors, std::move(remotes)), std::stop_token());
}

Result<release_file::ReadBlob> blobs_at(const std::shared_ptr<fetch::Mirrors>& mirrors, const std::vector<Place>& places, const Tell& tell) {
  std::vector<std::unique_ptr<fetch::BlobSource>> sources;
  for (const Place& place : places) {
    BERTH_TRY(auto source, fetch::blob_source_at(place.url, place.options));
    sources.push_back(traced(std::move(source), place.url, tell));
  }
  std::shared_ptr<fetch::BlobSource> source = fetch::mirrored(*mirrors, std::move(sources));
  return [source, mirrors](const std::string& blob, std::uint64_t from, std::uint64_t most, const Sink& sink) {
    return source->read(blob, from, most, sink, {});
  };
}

/// A folder that is not there, or is none of a repository, as other verbs say it; what cannot be looked at, or has mirrors, is asked, which tells more.
Result<void> check_folder(const RepositoryLocation& location) {
  if (!trust::is_folder(location.at) || !location.mirrors.empty()) return {};
  BERTH_TRY(const auto folder, trust::FolderRemote::at(location.at));
  std::error_code failed;
  if (fs::status(folder.folder() / "metadata", failed).type() != fs::file_type::not_found) return {};
  return fail(Errc::not_found, fmt::format("{} is no repository: there is no {}; name the folder that 'berth repo init' made", location.at, (folder.folder() / "metadata").string()));
}

}  // namespace

release_file::Source OpenRepository::source() const {
  return {.metadata = *metadata, .targets = *targets, .blob = blob, .root = root, .now = std::chrono::system_clock::now()};
}

Result<OpenRepository> open_repository(const RepositoryLocation& location) {
  BERTH_CHECK(check_folder(location));
  BERTH_TRY(const io::FetchOptions options, fetch_options_of(location));
  std::vector<std::string> urls{location.at};
  urls.insert(urls.end(), location.mirrors.begin(), location.mirrors.end());
  std::vector<Place> places;
  for (const std::string& url : urls) places.push_back({.url = url, .options = options_at(url, location.at, options)});
  OpenRepository opened;
  opened.mirrors = std::make_shared<fetch::Mirrors>(urls, nullptr);
  BERTH_TRY(opened.metadata, remote_at(*opened.mirrors, places, "metadata", location.tell));
  BERTH_TRY(opened.targets, remote_at(*opened.mirrors, places, "targets", location.tell));
  BERTH_TRY(opened.blob, blobs_at(opened.mirrors, places, location.tell));
  fs::path root = location.root;
  if (root.empty()) {
    if (!trust::is_folder(location.at))
      return fail(Errc::usage, fmt::format("say what of {} is believed: --root FILE, its first root.json, which came to you by a way you trust", location.at));
    BERTH_TRY(const auto folder, trust::FolderRemote::at(location.at));
    root = folder.folder() / "metadata/1.root.json";
  }
  BERTH_TRY(opened.root, files::read(root, trust::kMostRoot));
  return opened;
}

Result<std::unique_ptr<trust::Remote>> open_metadata(const RepositoryLocation& location) {
  BERTH_CHECK(check_folder(location));
  BERTH_TRY(const io::FetchOptions options, fetch_options_of(location));
  BERTH_TRY(auto remote, trust::remote_at(location.at, "metadata", options_at(location.at, location.at, options)));
  return traced(std::move(remote), location.at + "/metadata", location.tell);
}

Error of_repository(Error error, const std::string& at) {
  // Exit code 6 says that berthd does not answer.
  if (exit_code(error.code) == Exit::unreachable) error = {Errc::io, "the repository cannot be reached: " + error.message};
  // A release that is not there is told as by verbs that write the repository: "web/qa@v9 is not in ./repo".
  constexpr std::string_view kThere = " is not in the repository";
  if (const auto place = error.message.find(kThere); error.code == Errc::not_found && place != std::string::npos) {
    error.message.replace(place, kThere.size(), " is not in " + at);
    return error;
  }
  error.message = at + ": " + error.message;
  if (error.message.find("401 Unauthorized") != std::string::npos)
    error.message += "; say who asks: --token-file, or --user and --password-file, or --config with a berthd.toml that does";
  return error;
}

}  // namespace berth::cli
