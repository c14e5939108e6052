#include "daemon/fetch/import.h"

#include <algorithm>
#include <set>

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>

#include "core/bundle/layer.h"
#include "core/crypto/sha256.h"
#include "core/files/files.h"
#include "core/release_file/release_file.h"
#include "core/trust/folder_remote.h"
#include "core/trust/limits.h"
#include "daemon/fetch/space.h"
#include "daemon/fetch/trust_clock.h"

namespace berth::fetch {
namespace {


/// A copy of what this node trusts, to try things on.
Result<void> copy_trust(const fs::path& from, const fs::path& to) {
  BERTH_CHECK(files::make_directories(to, 0700));
  std::error_code failure;
  for (fs::directory_iterator entry(from, failure), end; !failure && entry != end; entry.increment(failure)) {
    if (!entry->is_regular_file(failure) || entry->path().extension() != ".json") continue;
    if (!fs::copy_file(entry->path(), to / entry->path().filename(), failure)) break;
  }
  if (failure && failure != std::errc::no_such_file_or_directory) return fail_errno("copy " + from.string(), failure.value());
  return {};
}

class Import {
 public:
  Import(const RepositoryOptions& node, const fs::path& staging, const ImportOptions& options, std::stop_token stop)
      : node_(node), staging_(staging), options_(options), stop_(std::move(stop)), metadata_(staging / "metadata"), targets_(staging / "targets"),
        clock_(node.trust_directory, trust::WallTime(std::chrono::seconds(node.build_time))) {}

  Result<Imported> run(const fs::path& path) {
    BERTH_CHECK(take(path));
    std::unique_lock<std::mutex> turn;
    if (options_.take_turn) {
      BERTH_TRY(turn, options_.take_turn());
    }
    const fs::path trial = staging_ / "trust";
    BERTH_CHECK(copy_trust(node_.trust_directory, trial));
    BERTH_CHECK(believe(trial));
    BERTH_CHECK(check_blobs());
    BERTH_CHECK(files::remove_tree(trial));
    // Now that all is right, it counts.
    BERTH_CHECK(believe(node_.trust_directory));
    return std::move(imported_);
  }

 private:
  /// The file, unpacked; nothing of it is believed yet but what its blobs are.
  Result<void> take(const fs::path& path) {
    BERTH_TRY(const Fd file, files::open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY));
    struct stat about {};
    if (::fstat(file.get(), &about) != 0) return fail_errno("look at " + path.string());
    if (!S_ISREG(about.st_mode)) return fail(Errc::usage, path.string() + ": is no file");
    BERTH_CHECK(check_space(staging_, static_cast<std::uint64_t>(about.st_size), options_.reserve_bytes));
    BERTH_TRY(auto unpacked, release_file::unpack(file.get(), path.string(), staging_, stop_));
    const ReleaseRef& release = unpacked.release;
    if (release.environment != options_.environment) {
      return fail(Errc::usage, fmt::format("{}: {} is a release of the environment {}, and this node runs {}", path.string(), to_string(release),
                                           release.environment, options_.environment));
    }
    imported_ = {.release = release, .bytes = unpacked.bytes};
    blobs_.insert(unpacked.blobs.begin(), unpacked.blobs.end());
    return {};
  }

  Result<void> pin(trust::Client& client) {
    const auto root = files::read(node_.root, trust::kMostRoot);
    if (root) return client.init(*root);
    std::error_code ignored;
    if (fs::exists(node_.trust_directory / "root.json", ignored)) return {};
    return fail(Errc::usage, fmt::format("the root of trust ([repository] root in berthd.toml): {}", root.error().message));
  }

  /// The client's whole workflow over the file's metadata, from what is trusted in `trusted`; then the manifest.
  Result<void> believe(const fs::path& trusted) {
    trust::Client client(trusted, metadata_, [this] { return clock_.believed(std::chrono::system_clock::now()); });
    client.allow_expired(options_.allow_expired);
    BERTH_CHECK(pin(client));
    BERTH_CHECK(client.refresh());
    imported_.expired = client.expired();
    const ReleaseRef& release = imported_.release;
    const std::string name = bundle::target_name(release.app, release.environment, release.release);
    const auto target = client.find(name);
    if (!target && target.error().code == Errc::not_found) return fail(Errc::trust, fmt::format("its metadata lists no {}", name));
    BERTH_CHECK(target);
    BERTH_TRY(const std::string text, client.download(*target, targets_));
    BERTH_TRY(manifest_, bundle::parse_manifest(text));
    if (ReleaseRef{.app = manifest_.app, .environment = manifest_.environment, .release = manifest_.release} != release)
      return fail(Errc::trust, fmt::format("what is signed for as {} is the manifest of another release", to_string(release)));
    BERTH_CHECK(bundle::check_requirements(manifest_, BERTH_VERSION));
    imported_.manifest_sha256 = crypto::sha256_hex(text);
    return {};
  }

  /// Whether what this node needs is there, and nothing that the manifest does not name.
  Result<void> check_blobs() {
    BERTH_TRY(const bundle::BuildRef build, bundle::build_for(manifest_, bundle::this_platform()));
    for (const auto& [name, layer] : {std::pair("layer", build.layer), std::pair("config layer", manifest_.config)}) {
      BERTH_CHECK(check_blob(layer.blob, name));
      BERTH_CHECK(check_blob(layer.index, std::string("index of the ") + name));
      BERTH_TRY(const std::string index, files::read(staging_ / bundle::blob_path(layer.index.sha256), layer.index.size));
      BERTH_CHECK(bundle::parse_index(index, layer));
    }
    std::set<std::string> named;
    for (const auto& [platform, one] : manifest_.builds) named.insert({one.layer.blob.sha256, one.layer.index.sha256});
    named.insert({manifest_.config.blob.sha256, manifest_.config.index.sha256});
    for (const bundle::Attachment& attachment : manifest_.attachments) named.insert(attachment.blob.sha256);
    for (const std::string& blob : blobs_)
      if (!named.contains(blob)) return fail(Errc::trust, fmt::format("{}: is in it, and the manifest does not name it", bundle::blob_path(blob)));
    return {};
  }

  Result<void> check_blob(const bundle::BlobRef& blob, const std::string& what) {
    const std::string path = bundle::blob_path(blob.sha256);
    if (!blobs_.contains(blob.sha256)) return fail(Errc::trust, fmt::format("{}: the {} is not in it", path, what));
    std::error_code failure;
    const auto size = fs::file_size(staging_ / path, failure);
    if (failure || size != blob.size) return fail(Errc::trust, fmt::format("{}: the {} has not the {} bytes that the manifest says", path, what, blob.size));
    return {};
  }

  const RepositoryOptions& node_;
  const fs::path& staging_;
  const ImportOptions& options_;
  std::stop_token stop_;
  trust::FolderRemote metadata_, targets_;
  TrustClock clock_;
  std::set<std::string> blobs_;
  bundle::Manifest manifest_;
  Imported imported_;
};

}  // namespace

Result<Imported> import_file(const RepositoryOptions& node, const fs::path& file, const fs::path& staging, const ImportOptions& options, std::stop_token stop) {
  auto imported = Import(node, staging, options, std::move(stop)).run(file);
  if (imported) return imported;
  // What a file lacks, or says too much of, makes it a bad file.
  Error error = std::move(imported.error());
  const bool of_file = error.code == Errc::protocol || (error.code == Errc::not_found && fs::exists(file)) || error.code == Errc::unreachable;
  if (of_file) error.code = Errc::trust;
  if (error.message.find(file.string()) == std::string::npos) error.message = file.string() + ": " + error.message;
  return std::unexpected(std::move(error));
}

}  // namespace berth::fetch
