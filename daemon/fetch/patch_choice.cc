#include "daemon/fetch/patch_choice.h"

#include <algorithm>
#include <map>

#include <fcntl.h>
#include <unistd.h>

#include "core/bundle/patch_parts.h"
#include "core/bundle/tar_writer.h"
#include "core/bundle/tree.h"
#include "core/files/files.h"
#include "daemon/unpack/job.h"

namespace berth::fetch {
namespace {

namespace fs = std::filesystem;

/// The layers of a sealed slot's builds, by the SHA-256 of their indexes. Nothing where its manifest cannot be read.
std::map<std::string, bundle::LayerRef> layers_of(const fs::path& slot) {
  std::map<std::string, bundle::LayerRef> layers;
  const auto text = files::read(slot / "manifest.json", bundle::kLargestManifest);
  if (!text) return layers;
  if (const auto manifest = bundle::parse_manifest(*text))
    for (const auto& [platform, build] : manifest->builds) layers[build.layer.index.sha256] = build.layer;
  return layers;
}

/// With what is known of its base; nothing where the index that lies in the slot is another one.
std::optional<PatchChoice> patch_from(const bundle::PatchRef& ref, const fs::path& slot, const bundle::LayerRef& layer) {
  auto text = files::read(slot / "app.index.json", layer.index.size);
  if (!text) return std::nullopt;
  auto index = bundle::parse_index(*text, layer);
  if (!index) return std::nullopt;
  return PatchChoice{.ref = ref, .slot = slot, .old_index = std::move(*text), .old = std::move(index->entries)};
}

}  // namespace

std::optional<PatchChoice> choose_patch(const bundle::BuildRef& build, const std::vector<fs::path>& slots) {
  if (build.patches.empty()) return std::nullopt;
  std::vector<bundle::PatchRef> patches = build.patches;
  std::ranges::stable_sort(patches, {}, [](const bundle::PatchRef& one) { return one.blob.size; });
  std::vector<std::pair<fs::path, std::map<std::string, bundle::LayerRef>>> layers;
  for (const fs::path& slot : slots) layers.emplace_back(slot, layers_of(slot));
  for (const bundle::PatchRef& ref : patches)
    for (const auto& [slot, its] : layers)
      if (const auto layer = its.find(ref.from); layer != its.end())
        if (auto choice = patch_from(ref, slot, layer->second)) return choice;
  return std::nullopt;
}

PatchParts parts_of(const PatchChoice& patch, const bundle::LayerIndex& index) {
  PatchParts parts{.base = bundle::patch_base(patch.ref.base, patch.old, index.entries), .made = bundle::patch_made(patch.old, index.entries)};
  parts.base_size = bundle::tar_size_of(parts.base);
  parts.made_size = bundle::total_size(parts.made);
  parts.made_at = unpack::made_place(parts.base_size, patch.ref.script_size);
  parts.alike_size = bundle::total_size(index.entries) - parts.made_size;
  return parts;
}

Result<LinkPlan> links_beside(const PatchParts& parts, const bundle::LayerIndex& index, LinkPlan whole) {
  LinkPlan plan;
  auto made = parts.made.begin();
  auto link = whole.links.begin();
  for (const bundle::Entry& entry : index.entries) {
    if (entry.type != bundle::EntryType::file) continue;
    if (made != parts.made.end() && made->path == entry.path) {
      ++made;
      continue;
    }
    while (link != whole.links.end() && link->path < entry.path) ++link;
    if (link == whole.links.end() || link->path != entry.path) return fail(Errc::conflict, entry.path + " is not as it was sealed");
    plan.add(std::move(*link));
  }
  return plan;
}

Result<Fd> make_scratch(const fs::path& name, std::uint64_t size) {
  BERTH_TRY(Fd file, files::open(name, O_RDWR | O_CREAT | O_EXCL, 0600));
  if (::unlink(name.c_str()) != 0) return fail_errno("remove " + name.string());
  if (const int number = ::posix_fallocate(file.get(), 0, static_cast<off_t>(size)); number != 0) return fail_errno("make room for a patch", number);
  return file;
}

Result<Fd> write_base(const PatchChoice& patch, const PatchParts& parts, const fs::path& name, const std::stop_token& stop) {
  BERTH_TRY(Fd scratch, make_scratch(name, parts.scratch_size()));
  const auto write = [&](std::string_view piece) -> Result<void> {
    if (stop.stop_requested()) return fail(Errc::cancelled, "reading the old release was cancelled");
    return files::write_all(scratch.get(), piece, name.string());
  };
  auto written = bundle::write_tar(patch.slot / "app", parts.base, write);
  if (written) return scratch;
  return pass(std::move(written.error()), patch.slot.filename().string());
}

}  // namespace berth::fetch
