#include "daemon/fetch/linked_files.h"

#include <cerrno>
#include <map>

#include <fcntl.h>
#include <fmt/core.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/crypto/sha256.h"
#include "core/files/files.h"
#include "daemon/fetch/made_tree.h"

namespace berth::fetch {
namespace {

namespace fs = std::filesystem;
using bundle::Entry;
using bundle::EntryType;

constexpr std::size_t kPiece = 256u << 10;

/// Hands the rest of a file on in pieces.
template <class Take>
Result<void> read_pieces(int fd, const std::string& name, const Take& take) {
  std::string piece(kPiece, '\0');
  while (true) {
    const ssize_t got = ::read(fd, piece.data(), piece.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail_errno("read " + name);
    if (got == 0) return {};
    BERTH_CHECK(take(std::string_view(piece.data(), static_cast<std::size_t>(got))));
  }
}

/// Whether the file below `folder` is what `entry` says, down to its content.
bool has(int folder, const Entry& entry) {
  const auto file = files::open_below(folder, entry.path, O_RDONLY | O_NONBLOCK);
  struct stat is {};
  if (!file || ::fstat(file->get(), &is) != 0) return false;
  if (!S_ISREG(is.st_mode) || is.st_uid != 0 || (is.st_mode & 07777) != sealed_mode(entry.mode)) return false;
  if (static_cast<std::uint64_t>(is.st_size) != entry.size) return false;
  crypto::Sha256 digest;
  const auto read = read_pieces(file->get(), entry.path, [&](std::string_view piece) -> Result<void> {
    digest.update(piece);
    return {};
  });
  return read && digest.hex() == entry.sha256;
}

/// Makes one file of another, by the cheapest way that this disk has.
class Linker {
 public:
  explicit Linker(int tree) : tree_(tree) {}

  Result<void> link(const LinkPlan::Link& one) {
    BERTH_TRY(const int slot, slot_of(one.from));
    BERTH_TRY(const Fd source, files::open_below(slot, one.path, O_RDONLY));
    const auto slash = one.path.rfind('/');
    const std::string_view folder_path = slash == std::string::npos ? "." : std::string_view(one.path).substr(0, slash);
    BERTH_TRY(const Fd folder, files::open_below(tree_, folder_path, O_PATH | O_DIRECTORY));
    const std::string name = one.path.substr(slash + 1);
    if (reflinks_) {
      BERTH_TRY(const bool made, reflink(source.get(), folder.get(), name, one));
      if (made) return {};
      reflinks_ = false;  // nor will the next one go
    }
    if (::linkat(source.get(), "", folder.get(), name.c_str(), AT_EMPTY_PATH) == 0) return {};
    if (errno != EMLINK && errno != EXDEV && errno != EPERM) return fail_errno("link " + one.path);
    return copy(source.get(), folder.get(), name, one);
  }

 private:
  Result<int> slot_of(const fs::path& path) {
    auto& slot = slots_[path];
    if (!slot) {
      BERTH_TRY(slot, files::open(path, O_PATH | O_DIRECTORY));
    }
    return slot.get();
  }

  Result<bool> reflink(int source, int folder, const std::string& name, const LinkPlan::Link& one) {
    BERTH_TRY(const Fd file, files::open_below(folder, name, O_WRONLY | O_CREAT | O_EXCL, 0600));
    if (::ioctl(file.get(), FICLONE, source) == 0) {
      if (::fchmod(file.get(), sealed_mode(one.mode)) != 0) return fail_errno("seal " + one.path);
      return true;
    }
    const int number = errno;
    if (::unlinkat(folder, name.c_str(), 0) != 0) return fail_errno("remove " + one.path);
    if (number == ENOSPC || number == EDQUOT || number == EIO) return fail_errno("clone " + one.path, number);
    return false;
  }

  Result<void> copy(int source, int folder, const std::string& name, const LinkPlan::Link& one) {
    BERTH_TRY(const Fd file, files::open_below(folder, name, O_WRONLY | O_CREAT | O_EXCL, 0600));
    BERTH_CHECK(read_pieces(source, one.path, [&](std::string_view piece) { return files::write_all(file.get(), piece, one.path); }));
    if (::fchmod(file.get(), sealed_mode(one.mode)) != 0) return fail_errno("seal " + one.path);
    return {};
  }

  int tree_;
  bool reflinks_ = true;
  std::map<fs::path, Fd> slots_;
};

}  // namespace

Result<LinkPlan> plan_links(const std::vector<Entry>& entries, const std::vector<fs::path>& slots, const std::string& part, const std::stop_token& stop) {
  std::vector<std::pair<fs::path, Fd>> folders;
  for (const fs::path& slot : slots) {
    auto folder = files::open(slot / part, O_PATH | O_DIRECTORY);
    if (folder) folders.emplace_back(slot / part, std::move(*folder));
  }
  LinkPlan plan;
  for (const Entry& entry : entries) {
    if (folders.empty() || entry.type != EntryType::file) continue;
    if (stop.stop_requested()) return fail(Errc::cancelled, "looking for unchanged files was cancelled");
    for (const auto& [path, folder] : folders) {
      if (!has(folder.get(), entry)) continue;
      plan.links.push_back({.path = entry.path, .from = path, .mode = static_cast<mode_t>(entry.mode)});
      plan.paths.insert(entry.path);
      plan.bytes += entry.size;
      break;
    }
  }
  return plan;
}

Result<void> make_links(const LinkPlan& plan, int tree, const std::stop_token& stop) {
  Linker linker(tree);
  for (const auto& one : plan.links) {
    if (stop.stop_requested()) return fail(Errc::cancelled, "linking unchanged files was cancelled");
    BERTH_CHECK(linker.link(one));
  }
  return {};
}

}  // namespace berth::fetch
