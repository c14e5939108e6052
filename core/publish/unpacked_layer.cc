#include "core/publish/unpacked_layer.h"

#include <utility>

#include <fcntl.h>
#include <sys/mman.h>

#include <fmt/core.h>

#include "core/bundle/frame_reader.h"
#include "core/bundle/tar_header.h"
#include "core/crypto/sha256.h"
#include "core/files/files.h"

namespace berth::publish {

namespace fs = std::filesystem;

UnpackedLayer::UnpackedLayer(UnpackedLayer&& other) noexcept
    : tar_(std::exchange(other.tar_, nullptr)), size_(other.size_), index_(std::move(other.index_)), entries_(std::move(other.entries_)),
      slices_(std::move(other.slices_)) {}

UnpackedLayer::~UnpackedLayer() {
  if (tar_ != nullptr) ::munmap(tar_, size_);
}

Result<void> UnpackedLayer::unpack(const bundle::LayerRef& ref, const std::vector<bundle::Frame>& frames, const fs::path& blob) {
  const files::TemporaryDirectory folder;
  BERTH_TRY(const Fd from, files::open(blob, O_RDONLY));
  BERTH_TRY(const Fd file, files::open(folder.path() / "tar", O_RDWR | O_CREAT | O_EXCL, 0600));
  crypto::Sha256 hash;
  const auto write = [&](std::string_view piece) -> Result<bool> {
    hash.update(piece);
    BERTH_CHECK(files::write_all(file.get(), piece, (folder.path() / "tar").string()));
    return true;
  };
  if (auto decoded = bundle::decode_frames(from.get(), frames, write); !decoded) return pass(std::move(decoded.error()), blob.string());
  if (hash.hex() != ref.tar_sha256) return fail(Errc::trust, fmt::format("{} is damaged: the tar in it is not the one that is signed for", blob.string()));
  void* const mapped = ::mmap(nullptr, ref.tar_size, PROT_READ, MAP_SHARED, file.get(), 0);
  if (mapped == MAP_FAILED) return fail_errno("map the tar of " + blob.string());
  tar_ = static_cast<char*>(mapped);
  size_ = ref.tar_size;
  return {};
}

Result<UnpackedLayer> UnpackedLayer::open(const bundle::LayerRef& ref, const fs::path& blob, const fs::path& index) {
  UnpackedLayer layer;
  BERTH_TRY(layer.index_, files::read(index, ref.index.size));
  auto parsed = bundle::parse_index(layer.index_, ref);
  if (!parsed) return pass(std::move(parsed.error()), index.string());
  BERTH_CHECK(layer.unpack(ref, parsed->frames, blob));
  layer.entries_ = std::move(parsed->entries);
  std::uint64_t at = 0;
  for (const bundle::Entry& entry : layer.entries_) {
    const std::uint64_t end = at + bundle::tar_size(entry);
    layer.slices_.push_back({.begin = at, .content = at + bundle::tar_header(entry).size(), .end = end});
    at = end;
  }
  return layer;
}

}  // namespace berth::publish
