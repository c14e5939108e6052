#include "daemon/fetch/linked_files.h"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <map>
#include <optional>

#include <fcntl.h>
#include <fmt/core.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/files/files.h"
#include "core/in_parallel.h"
#include "daemon/fetch/file_content.h"
#include "daemon/fetch/file_hashes.h"
#include "daemon/fetch/folder_cache.h"
#include "daemon/fetch/made_tree.h"

namespace berth::fetch {
namespace {

namespace fs = std::filesystem;
using bundle::Entry;
using bundle::EntryType;

constexpr std::size_t kLinksAtOnce = 64;  ///< that a thread makes before it takes the next ones: mostly of one folder

/// One thread's way through the entries of a layer.
class Looking {
 public:
  using Found = std::vector<std::optional<LinkPlan::Link>>;

  /// What it finds goes into `found`, at the entry's number.
  Looking(const std::vector<Entry>& entries, const std::vector<std::pair<fs::path, Fd>>& folders, Found& found, const std::stop_token& stop)
      : entries_(entries), roots_(folders), found_(found), stop_(stop) {
    for (const auto& [path, folder] : folders) folders_.emplace_back(folder.get());
  }

  Result<void> entries(const EntryRun& run) {
    for (std::size_t i = run.begin; i < run.end; ++i) {
      if (entries_[i].type != EntryType::file) continue;
      if (stop_.stop_requested()) return fail(Errc::cancelled, "looking for unchanged files was cancelled");
      BERTH_CHECK(look(i));
    }
    return hashes_.finish(comparing(), stop_);
  }

 private:
  /// The first that may be the one, but for its content, which is hashed.
  Result<void> look(std::size_t number) {
    auto [slot, file] = candidate(number, 0);
    if (slot == folders_.size()) return {};
    return hashes_.add(std::move(file), number, entries_[number].path, comparing(), stop_);
  }

  /// From slot `first` on; the number of slots where there is none.
  std::pair<std::size_t, Fd> candidate(std::size_t number, std::size_t first) {
    const Entry& entry = entries_[number];
    for (std::size_t slot = first; slot < folders_.size(); ++slot) {
      auto file = folders_[slot].open_file(entry.path);
      struct stat is {};
      if (!file || ::fstat(file->get(), &is) != 0) continue;
      if (!S_ISREG(is.st_mode) || is.st_uid != 0 || (is.st_mode & 07777) != sealed_mode(entry.mode)) continue;
      if (static_cast<std::uint64_t>(is.st_size) != entry.size) continue;
      found_[number] = LinkPlan::Link{.path = entry.path, .from = roots_[slot].first, .mode = static_cast<mode_t>(entry.mode), .hashed = identity_of(is)};
      return {slot, std::move(*file)};
    }
    found_[number].reset();
    return {folders_.size(), Fd()};
  }

  FileHashes::Take comparing() {
    return [this](std::size_t number, Result<std::string> sha256) -> Result<void> {
      if (!sha256 && sha256.error().code == Errc::cancelled) return fail(Errc::cancelled, "looking for unchanged files was cancelled");
      if (sha256 && *sha256 == entries_[number].sha256) return {};
      return look_behind(number);
    };
  }

  /// In the slots behind the one that has another content there.
  Result<void> look_behind(std::size_t number) {
    const auto before = std::ranges::find(roots_, found_[number]->from, &std::pair<fs::path, Fd>::first);
    auto slot = static_cast<std::size_t>(before - roots_.begin());
    while (true) {
      auto [next, file] = candidate(number, slot + 1);
      if (next == folders_.size()) return {};
      const auto sha256 = content_.sha256(file.get(), entries_[number].path, stop_);
      if (sha256 && *sha256 == entries_[number].sha256) return {};
      if (!sha256 && sha256.error().code == Errc::cancelled) return fail(Errc::cancelled, "looking for unchanged files was cancelled");
      slot = next;
    }
  }

  const std::vector<Entry>& entries_;
  const std::vector<std::pair<fs::path, Fd>>& roots_;
  std::vector<FolderCache> folders_;
  Found& found_;
  FileHashes hashes_;
  FileContent content_;
  const std::stop_token& stop_;
};

/// Makes files of others, by the cheapest way that this disk has; one for each thread.
class Linker {
 public:
  Linker(int tree, std::atomic<bool>& reflinks) : target_(tree), reflinks_(reflinks) {}

  Result<void> link(const LinkPlan::Link& one) {
    BERTH_TRY(FolderCache* const slot, slot_of(one.from));
    BERTH_TRY(const int source, slot->folder_of(one.path));
    BERTH_TRY(const int target, target_.folder_of(one.path));
    const std::string name = one.path.substr(one.path.rfind('/') + 1);
    if (reflinks_) {
      BERTH_TRY(const bool made, reflink(source, target, name, one));
      if (made) return {};
      reflinks_ = false;  // nor will the next one go
    }
    if (::linkat(source, name.c_str(), target, name.c_str(), 0) == 0) return {};
    if (errno == EEXIST) return refuse_what_is_there(one);
    if (errno != EMLINK && errno != EXDEV && errno != EPERM) return fail_errno("link " + one.path);
    return copy(source, target, name, one);
  }

 private:
  static std::unexpected<Error> refuse_what_is_there(const LinkPlan::Link& one) { return fail(Errc::trust, one.path + ": was not to be unpacked"); }

  Result<FolderCache*> slot_of(const fs::path& path) {
    if (last_ != nullptr && last_path_ == path.native()) return last_;  // mostly all are of one
    auto& slot = slots_[path];
    if (!slot.folder) {
      BERTH_TRY(slot.root, files::open(path, O_PATH | O_DIRECTORY));
      slot.folder.emplace(slot.root.get());
    }
    last_ = &*slot.folder;
    last_path_ = path.native();
    return last_;
  }

  static Result<Fd> make(int folder, const std::string& name, const LinkPlan::Link& one) {
    auto file = files::open_below(folder, name, O_WRONLY | O_CREAT | O_EXCL, 0600);
    if (!file && file.error().code == Errc::exists) return refuse_what_is_there(one);
    return file;
  }

  Result<bool> reflink(int source_folder, int folder, const std::string& name, const LinkPlan::Link& one) {
    BERTH_TRY(const Fd source, files::open_below(source_folder, name, O_RDONLY));
    BERTH_TRY(const Fd file, make(folder, name, one));
    if (::ioctl(file.get(), FICLONE, source.get()) == 0) {
      if (::fchmod(file.get(), sealed_mode(one.mode)) != 0) return fail_errno("seal " + one.path);
      return true;
    }
    const int number = errno;
    if (::unlinkat(folder, name.c_str(), 0) != 0) return fail_errno("remove " + one.path);
    if (number == ENOSPC || number == EDQUOT || number == EIO) return fail_errno("clone " + one.path, number);
    return false;
  }

  Result<void> copy(int source_folder, int folder, const std::string& name, const LinkPlan::Link& one) {
    BERTH_TRY(const Fd source, files::open_below(source_folder, name, O_RDONLY));
    BERTH_TRY(const Fd file, make(folder, name, one));
    const auto write = [&](std::string_view piece) { return files::write_all(file.get(), piece, one.path); };
    FileContent content;
    BERTH_CHECK(content.read(source.get(), one.path, {}, write));
    if (::fchmod(file.get(), sealed_mode(one.mode)) != 0) return fail_errno("seal " + one.path);
    return {};
  }

  struct Slot {
    Fd root;
    std::optional<FolderCache> folder;
  };
  FolderCache target_;
  std::atomic<bool>& reflinks_;
  std::map<fs::path, Slot> slots_;
  FolderCache* last_ = nullptr;
  std::string last_path_;
};

}  // namespace

FileIdentity identity_of(const struct stat& is) {
  return {.device = is.st_dev,
          .inode = is.st_ino,
          .size = static_cast<std::uint64_t>(is.st_size),
          .modified_s = is.st_mtim.tv_sec,
          .modified_ns = is.st_mtim.tv_nsec};
}

void LinkPlan::add(Link link) {
  bytes += link.hashed.size;
  links.push_back(std::move(link));
}

Result<LinkPlan> plan_links(const std::vector<Entry>& entries, const std::vector<fs::path>& slots, const std::string& part, const std::stop_token& stop) {
  std::vector<std::pair<fs::path, Fd>> folders;
  for (const fs::path& slot : slots) {
    auto folder = files::open(slot / part, O_PATH | O_DIRECTORY);
    if (folder) folders.emplace_back(slot / part, std::move(*folder));
  }
  LinkPlan plan;
  if (folders.empty()) return plan;

  Looking::Found found(entries.size());
  std::vector<Looking> threads;
  for (std::size_t i = 0; i < threads_worthwhile(); ++i) threads.emplace_back(entries, folders, found, stop);
  const auto runs = runs_of(entries);
  const auto look = [&](std::size_t run, std::size_t thread) { return threads[thread].entries(runs[run]); };
  BERTH_CHECK(in_parallel(runs.size(), threads.size(), look));
  for (auto& link : found)
    if (link) plan.add(std::move(*link));
  return plan;
}

Result<void> make_links(const LinkPlan& plan, int tree, const std::stop_token& stop) {
  std::atomic<bool> reflinks{true};
  std::vector<Linker> linkers;
  for (std::size_t i = 0; i < threads_worthwhile(); ++i) linkers.emplace_back(tree, reflinks);
  const auto make = [&](std::size_t number, std::size_t thread) -> Result<void> {
    const std::size_t end = std::min(plan.links.size(), (number + 1) * kLinksAtOnce);
    for (std::size_t i = number * kLinksAtOnce; i < end; ++i) {
      if (stop.stop_requested()) return fail(Errc::cancelled, "linking unchanged files was cancelled");
      BERTH_CHECK(linkers[thread].link(plan.links[i]));
    }
    return {};
  };
  return in_parallel((plan.links.size() + kLinksAtOnce - 1) / kLinksAtOnce, linkers.size(), make);
}

}  // namespace berth::fetch
