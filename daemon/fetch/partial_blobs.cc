#include "daemon/fetch/partial_blobs.h"

#include <algorithm>
#include <functional>
#include <system_error>
#include <utility>

#include "core/files/files.h"

namespace berth::fetch {

namespace fs = std::filesystem;

struct PartialBlobs::File {
  fs::path path;
  std::uint64_t bytes = 0;
  fs::file_time_type written;
};

PartialBlobs::Hold::~Hold() {
  if (parts_ == nullptr) return;
  const std::lock_guard guard(parts_->mutex_);
  parts_->held_.erase(sha256_);
}

fs::path PartialBlobs::Hold::path() const { return parts_ == nullptr ? fs::path() : parts_->folder_ / sha256_; }

void PartialBlobs::Hold::failed(const Error& error) const {
  std::error_code ignored;
  if (parts_ != nullptr && (error.code == Errc::trust || parts_->size_of(sha256_) == 0)) fs::remove(path(), ignored);
}

Result<PartialBlobs::Hold> PartialBlobs::hold(const std::string& sha256) {
  if (!folder_.empty()) {
    tidy();
    BERTH_CHECK(files::make_directories(folder_, 0700));
    const std::lock_guard guard(mutex_);
    if (held_.insert(sha256).second) return Hold(*this, sha256);
  }
  return Hold();
}

std::uint64_t PartialBlobs::size_of(const std::string& sha256) const {
  if (folder_.empty()) return 0;
  std::error_code none;
  const auto bytes = fs::file_size(folder_ / sha256, none);
  return none ? 0 : bytes;
}

std::vector<PartialBlobs::File> PartialBlobs::files() const {
  std::vector<File> found;
  std::error_code ignored;
  for (fs::directory_iterator entry(folder_, ignored), end; !ignored && entry != end; entry.increment(ignored)) {
    std::error_code gone;
    if (held_.contains(entry->path().filename().string())) continue;
    File file{.path = entry->path(), .bytes = entry->file_size(gone), .written = entry->last_write_time(gone)};
    if (!gone) found.push_back(std::move(file));
  }
  std::ranges::sort(found, std::greater(), &File::written);
  return found;
}

PartialBlobs::Removed PartialBlobs::tidy() {
  const std::lock_guard guard(mutex_);
  const auto oldest = fs::file_time_type::clock::now() - kLongest;
  Removed removed;
  std::size_t kept = held_.size();
  for (const File& file : files()) {
    if (file.written >= oldest && ++kept <= kMost) continue;
    remove(file, removed);
  }
  return removed;
}

PartialBlobs::Removed PartialBlobs::clear(const std::set<std::string>& keep) {
  const std::lock_guard guard(mutex_);
  Removed removed;
  for (const File& file : files())
    if (!keep.contains(file.path.filename().string())) remove(file, removed);
  return removed;
}

PartialBlobs::Removed PartialBlobs::clearable() const {
  const std::lock_guard guard(mutex_);
  Removed all;
  for (const File& file : files()) {
    ++all.blobs;
    all.bytes += file.bytes;
  }
  return all;
}

void PartialBlobs::remove(const File& file, Removed& removed) {
  std::error_code failure;
  if (!fs::remove(file.path, failure)) return;
  ++removed.blobs;
  removed.bytes += file.bytes;
}

}  // namespace berth::fetch
