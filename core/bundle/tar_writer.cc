#include "core/bundle/tar_writer.h"

#include <cerrno>

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/bundle/entry_rules.h"
#include "core/bundle/tar_header.h"
#include "core/crypto/sha256.h"
#include "core/files/files.h"

namespace berth::bundle {
namespace {

constexpr std::size_t kPiece = 256u << 10;

using Sink = std::function<Result<void>(std::string_view)>;

std::unexpected<Error> changed(const Entry& entry) {
  return fail(Errc::conflict, fmt::format("{}: it changed while it was packed; do it again when nobody writes there", entry.path));
}

/// Returns the hash of what it wrote.
Result<std::string> write_content(int root, const Entry& entry, std::string& piece, const Sink& sink) {
  BERTH_TRY(const Fd file, files::open_below(root, entry.path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK));
  struct stat about {};
  if (::fstat(file.get(), &about) != 0) return fail_errno("look at " + entry.path);
  if (!S_ISREG(about.st_mode)) return changed(entry);
  crypto::Sha256 hash;
  for (std::uint64_t left = entry.size;;) {
    const ssize_t got = ::read(file.get(), piece.data(), piece.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail_errno("read " + entry.path);
    if (static_cast<std::uint64_t>(got) > left || (got == 0 && left > 0)) return changed(entry);
    if (got == 0) break;
    const std::string_view bytes(piece.data(), static_cast<std::size_t>(got));
    hash.update(bytes);
    BERTH_CHECK(sink(bytes));
    left -= bytes.size();
  }
  if (const std::size_t padding = tar_padding(entry.size); padding > 0) BERTH_CHECK(sink(std::string(padding, '\0')));
  return hash.hex();
}

/// `take_hash` is told what each file was, and answers whether that is right.
template <class Entries, class TakeHash>
Result<void> write_entries(const std::filesystem::path& root, Entries& entries, const Sink& sink, const TakeHash& take_hash) {
  BERTH_TRY(const Fd folder, files::open(root, O_PATH | O_DIRECTORY));
  EntryRules rules;
  std::string piece(kPiece, '\0');
  for (auto& entry : entries) {
    if (const std::string wrong = rules.wrong(entry); !wrong.empty()) return fail(Errc::usage, fmt::format("'{}' {}", shown(entry.path), wrong));
    BERTH_CHECK(sink(tar_header(entry)));
    if (entry.type != EntryType::file) continue;
    BERTH_TRY(std::string sha256, write_content(folder.get(), entry, piece, sink));
    if (!take_hash(entry, std::move(sha256))) return changed(entry);
  }
  return sink(std::string(kTarEnd, '\0'));
}

}  // namespace

Result<void> write_tar(const std::filesystem::path& root, const std::vector<Entry>& entries, const Sink& sink) {
  return write_entries(root, entries, sink, [](const Entry& entry, const std::string& sha256) { return entry.sha256 == sha256; });
}

Result<void> write_tar_and_hash(const std::filesystem::path& root, std::vector<Entry>& entries, const Sink& sink) {
  const auto keep = [](Entry& entry, std::string sha256) {
    entry.sha256 = std::move(sha256);
    return true;
  };
  return write_entries(root, entries, sink, keep);
}

}  // namespace berth::bundle
