#include "run/unpacking.h"

#include <cerrno>

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/crypto/sha256.h"
#include "core/files/files.h"
#include "core/publish/unpacked_layer.h"

namespace berth::run {
namespace {

constexpr std::size_t kDigitsOfName = 16;

/// Writes what an index lists, which is clean: parents come first, nothing leads out of the tree, and nothing is there twice.
Result<void> write_tree(const publish::UnpackedLayer& layer, const fs::path& folder) {
  for (std::size_t place = 0; place < layer.entries().size(); ++place) {
    const bundle::Entry& entry = layer.entries()[place];
    const fs::path path = folder / entry.path;
    if (entry.type == bundle::EntryType::directory && ::mkdir(path.c_str(), entry.mode) != 0) return fail_errno("make " + path.string());
    if (entry.type == bundle::EntryType::symlink && ::symlink(entry.target.c_str(), path.c_str()) != 0) return fail_errno("make " + path.string());
    if (entry.type != bundle::EntryType::file) continue;
    BERTH_TRY(const Fd file, files::open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, entry.mode));
    const auto& slice = layer.slice(place);
    BERTH_CHECK(files::write_all(file.get(), layer.bytes(slice.content, slice.content + entry.size), path.string()));
  }
  return {};
}

/// Makes room on the shelf for one, which is half made until it is renamed.
Result<fs::path> clear_shelf(const fs::path& shelf) {
  BERTH_CHECK(files::remove_tree(shelf));
  const fs::path fresh = shelf / "new";
  BERTH_CHECK(files::make_directories(fresh, 0755));
  return fresh;
}

fs::path place_of(const bundle::LayerRef& ref, const fs::path& shelf) { return shelf / ref.index.sha256.substr(0, kDigitsOfName); }

Result<void> fetch_blob(const release_file::Source& source, const bundle::BlobRef& ref, const fs::path& to) {
  const std::string name = bundle::blob_path(ref.sha256);
  BERTH_TRY(const Fd file, files::open(to, O_WRONLY | O_CREAT | O_EXCL, 0600));
  crypto::Sha256 hash;
  std::uint64_t size = 0;
  const std::function<Result<void>(std::string_view)> take = [&](std::string_view piece) -> Result<void> {
    if (piece.size() > ref.size - size) return fail(Errc::trust, name + ": is longer than what was signed for");
    size += piece.size();
    hash.update(piece);
    return files::write_all(file.get(), piece, to.string());
  };
  BERTH_CHECK(source.blob(name, 0, ref.size, take));
  if (size != ref.size || hash.hex() != ref.sha256) return fail(Errc::trust, name + ": is not what was signed for (damaged?)");
  return {};
}

}  // namespace

Result<fs::path> unpack_layer(const bundle::LayerRef& ref, const fs::path& blob, const fs::path& index, const fs::path& shelf) {
  const fs::path place = place_of(ref, shelf);
  std::error_code ignored;
  if (fs::is_directory(place, ignored)) return place;
  BERTH_TRY(const auto layer, publish::UnpackedLayer::open(ref, blob, index));
  BERTH_TRY(const fs::path fresh, clear_shelf(shelf));
  BERTH_CHECK(write_tree(layer, fresh));
  if (::rename(fresh.c_str(), place.c_str()) != 0) return fail_errno("make " + place.string());
  return place;
}

Result<fs::path> fetch_layer(const release_file::Source& source, const bundle::LayerRef& ref, const fs::path& shelf) {
  const fs::path place = place_of(ref, shelf);
  std::error_code ignored;
  if (fs::is_directory(place, ignored)) return place;
  const files::TemporaryDirectory folder;
  const fs::path blob = folder.path() / "layer.tar.zst", index = folder.path() / "index.json";
  BERTH_TRY(const std::string text, release_file::read_blob(source, ref.index));
  BERTH_TRY(const Fd file, files::open(index, O_WRONLY | O_CREAT | O_EXCL, 0600));
  BERTH_CHECK(files::write_all(file.get(), text, index.string()));
  BERTH_CHECK(fetch_blob(source, ref.blob, blob));
  return unpack_layer(ref, blob, index, shelf);
}

}  // namespace berth::run
