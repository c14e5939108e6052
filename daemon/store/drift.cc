#include "daemon/store/drift.h"

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstring>
#include <memory>
#include <optional>
#include <set>

#include <dirent.h>
#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "core/bundle/file_type.h"
#include "core/bundle/layer.h"
#include "core/bundle/manifest.h"
#include "core/crypto/sha256.h"
#include "core/files/files.h"

namespace berth::store {
namespace {

namespace fs = std::filesystem;
using bundle::Entry;
using bundle::EntryType;
using bundle::kind_of;
using bundle::type_of;

constexpr std::size_t kPiece = 256u << 10;
constexpr mode_t kSealedFile = 0444, kSealedFolder = 0555;
const std::set<std::string> kTop{"app", "config", "manifest.json", "app.index.json", "config.index.json"};

/// As stage() leaves it: read-only, executable where the index says so.
mode_t sealed_mode(const Entry& entry) { return (entry.mode & 0111) != 0 ? 0555 : 0444; }

std::string reason(int number) { return fmt::format("cannot be read: {}", std::strerror(number)); }

struct CloseFolder {
  void operator()(DIR* folder) const { ::closedir(folder); }
};

/// The names in an open folder, sorted; none where it cannot be read, with errno.
std::optional<std::vector<std::string>> names_in(int folder) {
  Fd again(::openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!again) return {};
  const std::unique_ptr<DIR, CloseFolder> stream(::fdopendir(again.get()));
  if (!stream) return {};
  static_cast<void>(again.release());
  std::vector<std::string> names;
  for (;;) {
    errno = 0;
    const dirent* found = ::readdir(stream.get());
    if (found == nullptr && errno != 0) return {};
    if (found == nullptr) break;
    const std::string_view name = found->d_name;
    if (name != "." && name != "..") names.emplace_back(name);
  }
  std::ranges::sort(names);
  return names;
}

/// Goes through a slot by descriptors, so that no link in it is ever followed.
class Comparison {
 public:
  explicit Comparison(std::stop_token stop) : stop_(std::move(stop)), piece_(kPiece, '\0') {}

  Result<void> run(const fs::path& path, const std::string& manifest_sha256) {
    const Fd slot(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!slot) {
      note(".", errno == ENOENT ? "is missing" : reason(errno));
      return {};
    }
    top(slot.get());
    const auto manifest_text = signed_file(slot.get(), "manifest.json", manifest_sha256, bundle::kLargestManifest);
    if (!manifest_text) return {};
    const auto manifest = bundle::parse_manifest(*manifest_text);
    const auto build = manifest ? bundle::build_for(*manifest, bundle::this_platform()) : Result<bundle::BuildRef>(std::unexpected(manifest.error()));
    if (!build) {
      note("manifest.json", build.error().message);
      return {};
    }
    BERTH_CHECK(part(slot.get(), "app", build->layer));
    return part(slot.get(), "config", manifest->config);
  }

  Verdict take() {
    std::ranges::sort(verdict_.drift, {}, &Drift::path);
    return std::move(verdict_);
  }

 private:
  /// All that is found of one path is found in a row, and counts once.
  void note(std::string path, std::string what) {
    if (verdict_.drifted > 0 && path == last_) {
      if (!verdict_.drift.empty() && verdict_.drift.back().path == path) verdict_.drift.back().what += "; " + what;
      return;
    }
    last_ = path;
    ++verdict_.drifted;
    if (verdict_.drift.size() < kMostDrift) verdict_.drift.push_back({std::move(path), std::move(what)});
  }

  /// The slot's own folder, and what lies in it beside the two trees.
  void top(int slot) {
    struct stat is {};
    if (::fstat(slot, &is) == 0) check_seal(".", is, kSealedFolder);
    const auto names = names_in(slot);
    if (!names) return note(".", reason(errno));
    for (const std::string& name : *names)
      if (!kTop.contains(name)) note(name, "is there, and no part of a slot");
  }

  void check_seal(const std::string& path, const struct stat& is, mode_t mode) {
    ++verdict_.paths;
    if (is.st_uid != 0) return note(path, fmt::format("belongs to user {}, not to root", is.st_uid));
    if (!S_ISLNK(is.st_mode) && (is.st_mode & 07777) != mode) note(path, fmt::format("has mode {:04o}, not {:04o}", is.st_mode & 07777, mode));
  }

  /// The text of a file at the slot's top, of which the hash is known.
  std::optional<std::string> signed_file(int slot, const std::string& name, const std::string& sha256, std::size_t most) {
    const auto file = files::open_below(slot, name, O_RDONLY | O_NONBLOCK);
    struct stat is {};
    if (!file || ::fstat(file->get(), &is) != 0) {
      note(name, file ? reason(errno) : file.error().code == Errc::not_found ? "is missing" : file.error().message);
      return {};
    }
    check_seal(name, is, kSealedFile);
    auto text = files::read(file->get(), name, most);
    if (text && crypto::sha256_hex(*text) == sha256) {
      verdict_.bytes += text->size();
      return std::move(*text);
    }
    note(name, text ? "has another content" : text.error().message);
    return {};
  }

  Result<void> part(int slot, const std::string& name, const bundle::LayerRef& ref) {
    const std::string index_name = name + ".index.json";
    const auto text = signed_file(slot, index_name, ref.index.sha256, ref.index.size);
    if (!text) return {};
    auto index = bundle::parse_index(*text, ref);
    if (!index) {
      note(index_name, index.error().message);
      return {};
    }
    expected_ = std::move(index->entries);
    found_.assign(expected_.size(), false);
    Fd folder(::openat(slot, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    struct stat is {};
    if (!folder || ::fstat(folder.get(), &is) != 0) {
      note(name, errno == ENOENT ? "is missing" : reason(errno));
      return {};
    }
    check_seal(name, is, kSealedFolder);
    prefix_ = name + "/";
    BERTH_CHECK(folder_at(folder.get(), ""));
    for (std::size_t i = 0; i < expected_.size(); ++i)
      if (!found_[i]) note(prefix_ + expected_[i].path, "is missing");
    return {};
  }

  /// A folder is only entered where it is expected, which bounds depth and number.
  Result<void> folder_at(int folder, const std::string& path) {
    const auto names = names_in(folder);
    if (!names) {
      note(prefix_ + path, reason(errno));
      return {};
    }
    for (const std::string& name : *names) {
      if (stop_.stop_requested()) return fail(Errc::cancelled, "verifying a slot was cancelled");
      BERTH_CHECK(entry_at(folder, name, path.empty() ? name : path + '/' + name));
    }
    return {};
  }

  Result<void> entry_at(int folder, const std::string& name, const std::string& path) {
    const auto at = std::ranges::lower_bound(expected_, path, {}, &Entry::path);
    if (at == expected_.end() || at->path != path) {
      note(prefix_ + path, "is there, and not in the index");
      return {};
    }
    found_[static_cast<std::size_t>(at - expected_.begin())] = true;
    struct stat is {};
    if (::fstatat(folder, name.c_str(), &is, AT_SYMLINK_NOFOLLOW) != 0) {
      note(prefix_ + path, reason(errno));
      return {};
    }
    if ((is.st_mode & S_IFMT) != type_of(at->type)) {
      note(prefix_ + path, fmt::format("is {}, not {}", kind_of(is.st_mode), kind_of(type_of(at->type))));
      return {};
    }
    check_seal(prefix_ + path, is, sealed_mode(*at));
    if (at->type == EntryType::symlink) return link_at(folder, name, *at);
    Fd opened(::openat(folder, name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
    if (!opened) {
      note(prefix_ + path, reason(errno));
      return {};
    }
    return at->type == EntryType::directory ? folder_at(opened.get(), path) : file_at(opened.get(), *at, is);
  }

  Result<void> link_at(int folder, const std::string& name, const Entry& wanted) {
    char target[PATH_MAX];
    const ssize_t size = ::readlinkat(folder, name.c_str(), target, sizeof target);
    if (size < 0 || std::string_view(target, static_cast<std::size_t>(size)) != wanted.target)
      note(prefix_ + wanted.path, fmt::format("leads elsewhere than to {}", wanted.target));
    return {};
  }

  Result<void> file_at(int file, const Entry& wanted, const struct stat& is) {
    if (static_cast<std::uint64_t>(is.st_size) != wanted.size) {
      note(prefix_ + wanted.path, fmt::format("has {} bytes, not {}", is.st_size, wanted.size));
      return {};
    }
    if (::fgetxattr(file, "security.capability", nullptr, 0) >= 0) note(prefix_ + wanted.path, "has file capabilities");
    crypto::Sha256 hash;
    for (;;) {
      const ssize_t got = ::read(file, piece_.data(), piece_.size());
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) {
        note(prefix_ + wanted.path, reason(errno));
        return {};
      }
      if (got == 0) break;
      if (stop_.stop_requested()) return fail(Errc::cancelled, "verifying a slot was cancelled");
      hash.update(std::string_view(piece_.data(), static_cast<std::size_t>(got)));
      verdict_.bytes += static_cast<std::uint64_t>(got);
    }
    if (hash.hex() != wanted.sha256) note(prefix_ + wanted.path, "has another content");
    return {};
  }

  std::stop_token stop_;
  std::string piece_;
  std::string last_;             ///< path that was noted
  std::string prefix_;           ///< of the part that is compared
  std::vector<Entry> expected_;  ///< of that part, sorted
  std::vector<bool> found_;      ///< beside `expected_`
  Verdict verdict_;
};

}  // namespace

Result<Verdict> verify_slot(const fs::path& slot, const std::string& manifest_sha256, std::stop_token stop) {
  Comparison comparison(std::move(stop));
  BERTH_CHECK(comparison.run(slot, manifest_sha256));
  return comparison.take();
}

bool shares_files(const fs::path& slot) {
  std::error_code failure;
  for (fs::recursive_directory_iterator entry(slot, failure), end; !failure && entry != end; entry.increment(failure)) {
    struct stat is {};
    if (::lstat(entry->path().c_str(), &is) != 0) return true;
    if (S_ISREG(is.st_mode) && is.st_nlink > 1) return true;
  }
  return static_cast<bool>(failure);  // what cannot be seen is looked at closely
}

std::chrono::system_clock::time_point due_after(std::chrono::system_clock::time_point looked, std::chrono::milliseconds every, std::chrono::milliseconds early,
                                                std::chrono::system_clock::time_point now) {
  constexpr std::chrono::minutes kSlack{1};  // clocks are set back by a little all the time
  return looked > now + kSlack ? std::chrono::system_clock::time_point() : looked + every - early;
}

}  // namespace berth::store
