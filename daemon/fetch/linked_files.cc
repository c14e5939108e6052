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
#include "daemon/fetch/folder_cache.h"
#include "daemon/fetch/made_tree.h"

namespace berth::fetch {
namespace {

namespace fs = std::filesystem;
using bundle::Entry;
using bundle::EntryType;

constexpr std::size_t kLinksAtOnce = 64;  ///< that a thread makes before it takes the next ones: mostly of one folder

/// Which file below `folder` is what `entry` says, down to its content. Nothing where none is.
std::optional<FileIdentity> find_same(FolderCache& folder, const Entry& entry, FileContent& content, const std::stop_token& stop) {
  const auto file = folder.open_file(entry.path);
  struct stat is {};
  if (!file || ::fstat(file->get(), &is) != 0) return std::nullopt;
  if (!S_ISREG(is.st_mode) || is.st_uid != 0 || (is.st_mode & 07777) != sealed_mode(entry.mode)) return std::nullopt;
  if (static_cast<std::uint64_t>(is.st_size) != entry.size) return std::nullopt;
  const auto digest = content.sha256(file->get(), entry.path, stop);
  if (!digest || *digest != entry.sha256) return std::nullopt;
  return identity_of(is);
}

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
    auto& slot = slots_[path];
    if (!slot.folder) {
      BERTH_TRY(slot.root, files::open(path, O_PATH | O_DIRECTORY));
      slot.folder.emplace(slot.root.get());
    }
    return &*slot.folder;
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

  struct Looking {
    FileContent content;
    std::vector<FolderCache> folders;
  };
  std::vector<Looking> threads(threads_worthwhile());
  for (Looking& one : threads)
    for (const auto& [path, folder] : folders) one.folders.emplace_back(folder.get());
  std::vector<std::optional<LinkPlan::Link>> found(entries.size());
  const auto runs = runs_of(entries);
  const auto look = [&](std::size_t run, std::size_t thread) -> Result<void> {
    Looking& looking = threads[thread];
    for (std::size_t i = runs[run].begin; i < runs[run].end; ++i) {
      const Entry& entry = entries[i];
      if (entry.type != EntryType::file) continue;
      if (stop.stop_requested()) return fail(Errc::cancelled, "looking for unchanged files was cancelled");
      for (std::size_t slot = 0; slot < folders.size() && !found[i]; ++slot) {
        const auto same = find_same(looking.folders[slot], entry, looking.content, stop);
        if (same) found[i] = LinkPlan::Link{.path = entry.path, .from = folders[slot].first, .mode = static_cast<mode_t>(entry.mode), .hashed = *same};
      }
    }
    return {};
  };
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
