#include <algorithm>
#include <cerrno>

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/bundle/manifest.h"
#include "core/bundle/tar_reader.h"
#include "core/crypto/sha256.h"
#include "core/files/files.h"
#include "core/release_file/layout.h"
#include "core/release_file/release_file.h"
#include "core/trust/limits.h"

namespace berth::release_file {
namespace {

using bundle::Entry;
using bundle::EntryType;
using bundle::TarReader;

constexpr std::size_t kPiece = 256u << 10;

/// Makes what a tar says, entry by entry, below a folder.
class Unpacking {
 public:
  explicit Unpacking(int folder) : folder_(folder) {}

  Result<void> begin(const Entry& entry) {
    BERTH_CHECK(end());
    if (++count_ > kMostFiles) return fail(Errc::trust, fmt::format("there are more than {} paths in it", kMostFiles));
    if (entry.type == EntryType::directory) return make_folder(entry.path);
    if (entry.type != EntryType::file) return fail(Errc::trust, fmt::format("{}: is a link, and a release file has none", entry.path));
    BERTH_TRY(part_, part_of(entry.path));
    if (part_ == Part::target && ++targets_ > 1) return fail(Errc::trust, fmt::format("{}: is a second manifest; a release file has one", entry.path));
    BERTH_CHECK(check_size(entry));
    path_ = entry.path;
    BERTH_TRY(file_, files::open_below(folder_, path_, O_WRONLY | O_CREAT | O_EXCL, 0644));
    return {};
  }

  Result<void> take(std::string_view bytes) {
    unpacked_.bytes += bytes.size();
    if (part_ == Part::blob) hash_.update(bytes);
    if (part_ == Part::name) name_ += bytes;
    return files::write_all(file_.get(), bytes, path_);
  }

  /// The file that was begun is complete.
  Result<void> end() {
    if (!file_) return {};
    file_ = Fd();
    if (part_ != Part::blob) return {};
    const std::string named = path_.substr(path_.rfind('/') + 1);
    if (hash_.hex() != named) return fail(Errc::trust, fmt::format("{}: is not what its name says (its SHA-256 differs; damaged?)", path_));
    unpacked_.blobs.push_back(named);
    return {};
  }

  Result<Unpacked> finish() {
    BERTH_CHECK(end());
    if (name_.empty()) return fail(Errc::trust, fmt::format("there is no {} in it; is it a release file ('berth export')?", kName));
    BERTH_TRY(unpacked_.release, parse_name(name_));
    if (targets_ == 0) return fail(Errc::trust, "there is no manifest in it");
    return std::move(unpacked_);
  }

  /// Whether there was anything in it.
  bool any() const { return count_ > 0; }

 private:
  Result<void> make_folder(const std::string& path) {
    if (!is_folder(path)) return fail(Errc::trust, fmt::format("{}: a release file has no such folder", path));
    const auto slash = path.rfind('/');
    BERTH_TRY(const Fd parent, files::open_below(folder_, slash == std::string::npos ? "." : std::string_view(path).substr(0, slash), O_PATH | O_DIRECTORY));
    if (::mkdirat(parent.get(), path.substr(slash + 1).c_str(), 0755) != 0) return fail_errno("make the folder " + path);
    return {};
  }

  Result<void> check_size(const Entry& entry) {
    std::uint64_t most = bundle::kLargestBlob;
    if (part_ == Part::name) most = kMostName;
    if (part_ == Part::metadata || part_ == Part::target) {
      most = part_ == Part::metadata ? trust::kMostMetadata : bundle::kLargestManifest;
      signed_ += entry.size;
      if (signed_ > kMostSignedInAll)
        return fail(Errc::trust, fmt::format("{}: with it there are more than {} bytes of metadata", entry.path, kMostSignedInAll));
    }
    if (entry.size > most) return fail(Errc::trust, fmt::format("{}: has {} bytes; {} are allowed at most", entry.path, entry.size, most));
    return {};
  }

  int folder_;
  Fd file_;                ///< that is being filled
  Part part_ = Part::name;
  std::string path_;
  crypto::Sha256 hash_;
  std::string name_;       ///< the text of release.json
  std::uint64_t signed_ = 0;
  std::size_t count_ = 0, targets_ = 0;
  Unpacked unpacked_;
};

Result<void> feed(TarReader& reader, Unpacking& unpacking, std::string_view bytes) {
  for (;;) {
    BERTH_TRY(const auto step, reader.next(bytes));
    if (step == TarReader::Step::more) return {};
    if (step == TarReader::Step::entry) BERTH_CHECK(unpacking.begin(reader.entry()));
    if (step == TarReader::Step::data) BERTH_CHECK(unpacking.take(reader.data()));
  }
}

Result<Unpacked> read_all(int file, const std::string& name, int folder, const std::stop_token& stop) {
  TarReader reader;
  Unpacking unpacking(folder);
  std::string piece(kPiece, '\0');
  for (;;) {
    if (stop.stop_requested()) return fail(Errc::cancelled, "reading it was cancelled");
    const ssize_t got = ::read(file, piece.data(), piece.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail_errno("read " + name);
    if (got == 0) break;
    if (auto fed = feed(reader, unpacking, std::string_view(piece.data(), static_cast<std::size_t>(got))); !fed) {
      if (!unpacking.any()) fed.error().message = "is no release file, as 'berth export' makes them: " + fed.error().message;
      return std::unexpected(std::move(fed.error()));
    }
  }
  if (auto finished = reader.finish(); !finished) {
    if (!unpacking.any()) finished.error().message = "is no release file, as 'berth export' makes them: " + finished.error().message;
    return std::unexpected(std::move(finished.error()));
  }
  return unpacking.finish();
}

}  // namespace

Result<Unpacked> unpack(int file, const std::string& name, const fs::path& into, std::stop_token stop) {
  BERTH_TRY(const Fd folder, files::open(into, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
  auto unpacked = read_all(file, name, folder.get(), stop);
  if (!unpacked) return pass(std::move(unpacked.error()), name);
  return unpacked;
}

}  // namespace berth::release_file
