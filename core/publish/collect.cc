#include "core/publish/collect.h"

#include <algorithm>
#include <charconv>
#include <set>

#include <sys/stat.h>
#include <unistd.h>

#include <fmt/core.h>

#include "core/files/files.h"
#include "core/publish/contents.h"
#include "core/trust/repository_files.h"
#include "core/trust/role_name.h"

namespace berth::publish {
namespace {

class Collecting {
 public:
  Collecting(const fs::path& folder, const trust::RepositoryFiles& files, const CollectOptions& options, trust::WallTime now)
      : folder_(folder), files_(files), options_(options), now_(now) {}

  Result<void> find_used();
  void look_at_metadata();
  void look_at_incoming();
  void look_below(const char* subfolder);
  Result<Collected> finish();

 private:
  Result<void> use(const trust::Target& target);
  void use_blobs(const bundle::Manifest& manifest);
  void use_what_waits();
  std::int64_t present_version(const std::string& role) const;
  void take(const fs::path& file);

  const fs::path& folder_;
  const trust::RepositoryFiles& files_;
  const CollectOptions& options_;
  trust::WallTime now_;
  std::set<std::string> used_;  // below the folder
  Collected found_;
};

void Collecting::use_blobs(const bundle::Manifest& manifest) {
  for (const auto& [sha256, blob] : bundle::blobs_and_patches_of(manifest)) used_.insert(bundle::blob_path(sha256));
}

Result<void> Collecting::use(const trust::Target& target) {
  used_.insert(file_of(folder_, target).lexically_relative(folder_));
  if (!release_of(target.name)) return {};
  BERTH_TRY(const auto manifest, read_manifest({folder_}, target));
  use_blobs(manifest);
  return {};
}

/// A release that waits counts on blobs that are here already.
void Collecting::use_what_waits() {
  std::error_code error;
  for (const auto& entry : fs::recursive_directory_iterator(trust::incoming_of(folder_), error)) {
    if (!entry.is_regular_file(error) || entry.is_symlink(error) || entry.path().extension() != ".json") continue;
    if (const auto text = files::read(entry.path(), bundle::kLargestManifest))
      if (const auto manifest = bundle::parse_manifest(*text)) use_blobs(*manifest);
  }
}

Result<void> Collecting::find_used() {
  for (const trust::Target& target : files_.state.targets) BERTH_CHECK(use(target));
  // A role that is not believed now may be again, once its new key has signed.
  for (const trust::DelegatedFile& role : files_.delegated) {
    if (role.trouble.empty() || role.document.empty()) continue;
    BERTH_TRY(const trust::Targets targets, trust::parse_targets(role.document, role.delegation.role));
    for (const auto& [name, info] : targets.targets)
      BERTH_CHECK(use({.name = name, .length = info.length, .hashes = info.hashes, .role = role.delegation.role}));
  }
  use_what_waits();
  return {};
}

/// 0 for what is no role of this repository.
std::int64_t Collecting::present_version(const std::string& role) const {
  if (role == "snapshot") return files_.state.roles.at(2).version;
  for (const auto& listed : files_.snapshot.at("meta").as_object()) {
    const std::string name(listed.key());
    if (name == role + ".json" || trust::encode_role(name.substr(0, name.size() - 5)) == role) return files_.listed_version(name.substr(0, name.size() - 5));
  }
  return 0;
}

void Collecting::take(const fs::path& file) {
  struct stat about {};
  if (::lstat(file.c_str(), &about) != 0 || !S_ISREG(about.st_mode)) return;
  if (std::chrono::system_clock::from_time_t(about.st_mtime) + options_.grace > now_) return;
  found_.files.push_back(file.lexically_relative(folder_));
  found_.bytes += static_cast<std::uint64_t>(about.st_size);
}

/// What a publisher that was killed was writing, before it got its name: `.4.targets.json.4711-2`.
bool is_half_written(const std::string& name) {
  const auto dot = name.rfind('.');
  return name.starts_with('.') && dot > 0 && name.find('-', dot) != std::string::npos && name.find_first_not_of("0123456789-", dot + 1) == std::string::npos;
}

void Collecting::look_at_metadata() {
  for (const auto& entry : fs::directory_iterator(trust::metadata_of(folder_))) {
    const std::string name = entry.path().filename();
    if (is_half_written(name)) take(entry.path());
    std::int64_t version = 0;
    const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), version);
    if (error != std::errc() || *end != '.' || !name.ends_with(".json")) continue;
    const std::string role(end + 1, name.data() + name.size() - 5);
    const std::int64_t present = role == "root" ? 0 : present_version(role);
    if (present > 0 && (version > present || version <= present - options_.keep_metadata)) take(entry.path());
  }
}

void Collecting::look_at_incoming() {
  std::error_code error;
  for (const auto& entry : fs::recursive_directory_iterator(trust::incoming_of(folder_), error))
    if (entry.is_regular_file(error) && is_half_written(entry.path().filename())) take(entry.path());
}

void Collecting::look_below(const char* subfolder) {
  std::error_code error;
  for (const auto& entry : fs::recursive_directory_iterator(folder_ / subfolder, error))
    if (entry.is_regular_file() && !used_.contains(entry.path().lexically_relative(folder_))) take(entry.path());
}

Result<Collected> Collecting::finish() {
  std::ranges::sort(found_.files);
  if (options_.dry_run) return std::move(found_);
  for (const std::string& file : found_.files)
    if (::unlink((folder_ / file).c_str()) != 0 && errno != ENOENT) return fail_errno("remove " + (folder_ / file).string());
  return std::move(found_);
}

}  // namespace

Result<Collected> collect_repository(const Repository& repository, const CollectOptions& options) {
  if (options.keep_metadata < 1) return fail(Errc::usage, "at least one version of each role's metadata has to stay");
  BERTH_TRY(const auto writer, trust::RepositoryWriter::open(repository.folder, repository.keys, repository.now, {}, repository.wait));
  Collecting collecting(repository.folder, writer.files(), options, repository.now());
  BERTH_CHECK(collecting.find_used());
  collecting.look_at_metadata();
  collecting.look_at_incoming();
  collecting.look_below("targets");
  collecting.look_below("blobs");
  return collecting.finish();
}

}  // namespace berth::publish
