#include "daemon/fetch/space.h"

#include <fmt/core.h>

#include "core/files/files.h"

namespace berth::fetch {
namespace {

constexpr std::uint64_t kBlock = 4096;
constexpr std::uint64_t kInode = 512;

}  // namespace

std::string as_size(std::uint64_t bytes) {
  constexpr std::uint64_t kKiB = 1u << 10;
  constexpr std::uint64_t kMiB = 1u << 20;
  constexpr std::uint64_t kGiB = 1u << 30;
  const auto in = [bytes](std::uint64_t unit) { return static_cast<double>(bytes) / static_cast<double>(unit); };
  if (bytes >= 10 * kGiB) return fmt::format("{:.1f} GiB", in(kGiB));
  if (bytes >= kMiB) return fmt::format("{:.1f} MiB", in(kMiB));
  if (bytes >= kKiB) return fmt::format("{:.1f} KiB", in(kKiB));
  return fmt::format("{} bytes", bytes);
}

std::uint64_t space_of_tree(const bundle::LayerIndex& index) {
  std::uint64_t total = kBlock + kInode;  // the folder it lies in
  for (const bundle::Entry& entry : index.entries) {
    const std::uint64_t content = entry.type == bundle::EntryType::directory ? kBlock : entry.size;
    total += (content + kBlock - 1) / kBlock * kBlock + kInode;
  }
  return total;
}

Result<void> check_space(const std::filesystem::path& folder, std::uint64_t needed, std::uint64_t reserve) {
  BERTH_TRY(const std::uint64_t free, files::free_bytes(folder));
  if (free >= needed && free - needed >= reserve) return {};
  return fail(Errc::no_space, fmt::format("too little disk space: {} are needed and {} must stay free (the reserve), but {} are free at {}. Remove what is not "
                                          "needed there, or enlarge the disk",
                                          as_size(needed), as_size(reserve), as_size(free), folder.string()));
}

}  // namespace berth::fetch
