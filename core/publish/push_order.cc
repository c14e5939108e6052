#include "core/publish/push_order.h"

#include <algorithm>
#include <cstdint>
#include <set>
#include <string>

#include "core/files/files.h"
#include "core/trust/limits.h"
#include "core/trust/repository_files.h"
#include "core/trust/role_document.h"
#include "core/trust/verify.h"

namespace berth::publish {
namespace {

namespace fs = std::filesystem;

Result<trust::Envelope> open_file(const fs::path& file) {
  BERTH_TRY(const std::string bytes, files::read(file, trust::kMostMetadata));
  return trust::open_envelope(bytes, file.string());
}

/// What a reader wants signed by the keys of the last root.
struct SignedByRoles {
  trust::Envelope timestamp, snapshot, targets;

  bool fit(const trust::Root& root) const {
    return trust::verify(timestamp, root.timestamp, "") && trust::verify(snapshot, root.snapshot, "") && trust::verify(targets, root.targets, "");
  }
};

Result<SignedByRoles> read_signed(const fs::path& metadata, const trust::RepositoryFiles& files) {
  SignedByRoles read;
  BERTH_TRY(read.timestamp, open_file(metadata / "timestamp.json"));
  BERTH_TRY(read.snapshot, open_file(metadata / trust::numbered_file("snapshot", trust::version_of(files.snapshot))));
  BERTH_TRY(read.targets, open_file(metadata / trust::numbered_file("targets", trust::version_of(files.targets))));
  return read;
}

/// The first root that timestamp.json fits, and every later one.
Result<std::int64_t> first_that_fits(const fs::path& repository) {
  BERTH_TRY(const trust::RepositoryFiles files, trust::read_repository_files(repository));
  const fs::path metadata = trust::metadata_of(repository);
  BERTH_TRY(const SignedByRoles read, read_signed(metadata, files));
  std::int64_t first = files.root.issue.version;
  while (first > 1) {
    const auto envelope = open_file(metadata / trust::numbered_file("root", first - 1));
    if (!envelope) break;
    const auto root = trust::parse_root(envelope->content, "");
    if (!root || !read.fit(*root)) break;
    --first;
  }
  return first;
}

}  // namespace

Result<std::vector<std::vector<fs::path>>> metadata_in_order(const fs::path& repository) {
  BERTH_TRY(const std::int64_t first, first_that_fits(repository));
  const fs::path folder = "metadata";
  std::vector<fs::path> numbered, roots_before, timestamp{folder / "timestamp.json"}, roots_after;
  for (std::int64_t version = 1;; ++version) {
    const fs::path root = folder / trust::numbered_file("root", version);
    if (!fs::exists(repository / root)) break;
    (version <= first ? roots_before : roots_after).push_back(root);
  }
  if (fs::exists(repository / folder / "root.json")) roots_after.push_back(folder / "root.json");
  std::set<fs::path> told(roots_before.begin(), roots_before.end());
  told.insert(roots_after.begin(), roots_after.end());
  told.insert(timestamp.front());
  std::error_code error;
  for (const auto& entry : fs::recursive_directory_iterator(repository / folder, error)) {
    fs::path file = entry.path().lexically_relative(repository);
    if (entry.is_regular_file() && !file.filename().string().starts_with('.') && !told.contains(file)) numbered.push_back(std::move(file));
  }
  std::ranges::sort(numbered);
  std::vector<std::vector<fs::path>> parts;
  for (auto* part : {&numbered, &roots_before, &timestamp, &roots_after})
    if (!part->empty()) parts.push_back(std::move(*part));
  return parts;
}

}  // namespace berth::publish
