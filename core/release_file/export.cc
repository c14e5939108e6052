#include <map>
#include <set>

#include <fcntl.h>
#include <fmt/core.h>
#include <unistd.h>

#include "core/bundle/tar_header.h"
#include "core/crypto/sha256.h"
#include "core/files/files.h"
#include "core/release_file/layout.h"
#include "core/release_file/release_file.h"
#include "core/trust/client.h"
#include "core/trust/limits.h"

namespace berth::release_file {
namespace {

constexpr int kTries = 4;  ///< of a blob, each from where the one before ended

/// Keeps what is got: that is the chain that proves the release.
class Recording : public trust::Remote {
 public:
  Recording(trust::Remote& remote, std::string below, std::map<std::string, std::string>& files) : remote_(remote), below_(std::move(below)), files_(files) {}

  Result<std::string> get(std::string_view path, std::uint64_t most) override {
    auto bytes = remote_.get(path, most);
    if (bytes) files_[below_ + std::string(path)] = *bytes;
    return bytes;
  }

 private:
  trust::Remote& remote_;
  std::string below_;
  std::map<std::string, std::string>& files_;
};

class Writer {
 public:
  Writer(const Source& source, const fs::path& file) : source_(source), part_(file.string() + ".part") {}
  ~Writer() {
    if (file_) ::unlink(part_.c_str());
  }

  Result<void> open() {
    BERTH_TRY(file_, files::open(part_, O_WRONLY | O_CREAT | O_TRUNC, 0644));
    return {};
  }

  Result<void> folder(const std::string& path) { return write(bundle::tar_header({.path = path, .type = bundle::EntryType::directory, .mode = 0755})); }

  Result<void> bytes(const std::string& path, const std::string& content) {
    BERTH_CHECK(write(bundle::tar_header({.path = path, .mode = 0644, .size = content.size()})));
    BERTH_CHECK(write(content));
    return pad(content.size());
  }

  Result<void> blob(const std::string& path, const bundle::BlobRef& ref) {
    BERTH_CHECK(write(bundle::tar_header({.path = path, .mode = 0644, .size = ref.size})));
    crypto::Sha256 hash;
    std::uint64_t got = 0;
    const std::function<Result<void>(std::string_view)> take = [&](std::string_view piece) -> Result<void> {
      if (piece.size() > ref.size - got) return fail(Errc::trust, fmt::format("{}: is longer than the {} bytes signed for", path, ref.size));
      got += piece.size();
      hash.update(piece);
      return write(piece);
    };
    for (int tries = 1; got < ref.size; ++tries) {
      auto done = source_.blob(path, got, ref.size - got, take);
      if (got == ref.size) break;
      if (done) return fail(Errc::trust, fmt::format("{}: is {} bytes short of the {} signed for", path, ref.size - got, ref.size));
      const bool passing = done.error().code == Errc::unreachable || done.error().code == Errc::timeout || done.error().code == Errc::refused;
      if (!passing || tries == kTries) return pass(std::move(done.error()), path);
    }
    if (hash.hex() != ref.sha256) return fail(Errc::trust, fmt::format("{}: is not what was signed for (its SHA-256 differs; damaged?)", path));
    return pad(ref.size);
  }

  Result<std::uint64_t> finish(const fs::path& file) {
    BERTH_CHECK(write(std::string(bundle::kTarEnd, '\0')));
    if (::fsync(file_.get()) != 0) return fail_errno("sync " + part_);
    if (::link(part_.c_str(), file.c_str()) != 0) return fail_errno("write " + file.string());  // unlike a rename, it replaces nothing
    return written_;
  }

 private:
  Result<void> write(std::string_view data) {
    written_ += data.size();
    return files::write_all(file_.get(), data, part_);
  }
  Result<void> pad(std::uint64_t size) { return write(std::string(bundle::tar_padding(size), '\0')); }

  const Source& source_;
  std::string part_;
  Fd file_;
  std::uint64_t written_ = 0;
};

/// The roots before the newest one: a node may have pinned any of them.
Result<void> record_roots(std::int64_t newest, Recording& recording, const std::map<std::string, std::string>& files) {
  for (std::int64_t version = 1; version <= newest; ++version) {
    const std::string name = fmt::format("{}.root.json", version);
    if (files.contains("metadata/" + name)) continue;
    const auto got = recording.get(name, trust::kMostRoot);
    if (!got && got.error().code != Errc::not_found) return pass(got.error(), name);
  }
  return {};
}

}  // namespace

Result<Exported> export_release(const Source& source, const ReleaseRef& release, const fs::path& file) {
  std::error_code ignored;
  if (fs::exists(fs::symlink_status(file, ignored)))
    return fail(Errc::exists, fmt::format("{} is there already; remove it, or name another file", file.string()));
  const files::TemporaryDirectory trusted;
  std::map<std::string, std::string> signed_files;
  Recording metadata(source.metadata, "metadata/", signed_files), targets(source.targets, "targets/", signed_files);
  trust::Client client(trusted.path(), metadata, [now = source.now] { return now; });
  BERTH_CHECK(client.init(source.root));
  BERTH_CHECK(client.refresh());
  const auto target = client.find(bundle::target_name(release.app, release.environment, release.release));
  if (!target && target.error().code == Errc::not_found) return not_there(client, release);
  BERTH_CHECK(target);
  BERTH_TRY(const std::string text, client.download(*target, targets));
  BERTH_TRY(bundle::Manifest manifest, bundle::parse_manifest(text));
  if (ReleaseRef{.app = manifest.app, .environment = manifest.environment, .release = manifest.release} != release)
    return fail(Errc::trust, fmt::format("{}: what is signed for under its name is another release", to_string(release)));
  for (const trust::RoleState& role : client.roles())
    if (role.role == "root") BERTH_CHECK(record_roots(role.version, metadata, signed_files));
  signed_files[std::string(kName)] = to_text(release);

  std::map<std::string, bundle::BlobRef> blobs;  // no patches: whoever has the file has the layers
  for (const auto& [sha256, ref] : bundle::blobs_of(manifest)) blobs.emplace(bundle::blob_path(sha256), ref);
  std::set<std::string> paths;
  for (const auto& [path, content] : signed_files) paths.insert(path);
  for (const auto& [path, ref] : blobs) paths.insert(path);
  std::set<std::string> folders;
  for (const std::string& path : paths)
    for (auto slash = path.find('/'); slash != std::string::npos; slash = path.find('/', slash + 1)) folders.insert(path.substr(0, slash));
  paths.insert(folders.begin(), folders.end());

  Writer writer(source, file);
  BERTH_CHECK(writer.open());
  for (const std::string& path : paths) {
    if (folders.contains(path)) {
      BERTH_CHECK(writer.folder(path));
    } else if (const auto known = signed_files.find(path); known != signed_files.end()) {
      BERTH_CHECK(writer.bytes(path, known->second));
    } else {
      BERTH_CHECK(writer.blob(path, blobs.at(path)));
    }
  }
  BERTH_TRY(const std::uint64_t bytes, writer.finish(file));
  return Exported{.manifest = std::move(manifest), .bytes = bytes};
}

}  // namespace berth::release_file
