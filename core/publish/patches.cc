#include "core/publish/patches.h"

#include <algorithm>
#include <map>
#include <optional>

#include <fmt/core.h>

#include "core/files/files.h"
#include "core/publish/contents.h"
#include "core/publish/make_patch.h"
#include "core/trust/repository.h"

namespace berth::publish {
namespace {

using bundle::BuildRef;
using bundle::LayerRef;
using bundle::PatchRef;

/// A build that patches start from, and a release that has it.
struct Before {
  LayerRef layer;
  std::string release;
};

class Patching {
 public:
  Patching(Draft& draft, const fs::path& repository, std::vector<bundle::Manifest> releases, const PatchOptions& options, const fs::path& folder)
      : draft_(draft), repository_(repository), releases_(std::move(releases)), options_(options), folder_(folder) {}

  std::vector<std::string> run(const std::string& environment) {
    for (auto& [platform, build] : draft_.builds) {
      build.patches.clear();
      for (const Before& before : builds_before(environment, platform, build.layer)) {
        // A patch is a convenience: without it, nodes fetch the layer.
        const auto added = add(build, before);
        if (!added) notes_.push_back(fmt::format("no patch from the build of {}: {}", before.release, added.error().message));
      }
      std::ranges::sort(build.patches, {}, &PatchRef::from);
      fresh_.reset();
    }
    return std::move(notes_);
  }

 private:
  /// The builds of the newest releases for a platform, each once, and not the one that is released.
  std::vector<Before> builds_before(const std::string& environment, const std::string& platform, const LayerRef& layer) const {
    std::vector<Before> found;
    for (const bundle::Manifest& release : releases_) {
      const auto build = release.builds.find(platform);
      if (release.environment != environment || build == release.builds.end() || build->second.layer.index == layer.index) continue;
      const auto is_same = [&](const Before& other) { return other.layer.index == build->second.layer.index; };
      if (std::ranges::any_of(found, is_same)) continue;
      if (found.size() == options_.builds) break;
      found.push_back({build->second.layer, release.release});
    }
    return found;
  }

  /// One that leads there already.
  std::optional<PatchRef> known(const LayerRef& layer, const std::string& from) const {
    for (const bundle::Manifest& release : releases_)
      for (const auto& [platform, build] : release.builds)
        for (const PatchRef& patch : build.patches)
          if (build.layer == layer && patch.from == from) return patch;
    return std::nullopt;
  }

  fs::path file_of_blob(const bundle::BlobRef& ref) const {
    const auto file = draft_.blobs.find(ref.sha256);
    return file == draft_.blobs.end() ? repository_ / bundle::blob_path(ref.sha256) : file->second;
  }
  Result<UnpackedLayer> open(const LayerRef& layer) const { return UnpackedLayer::open(layer, file_of_blob(layer.blob), file_of_blob(layer.index)); }

  Result<void> add(BuildRef& build, const Before& before) {
    if (auto patch = known(build.layer, before.layer.index.sha256)) {
      build.patches.push_back(std::move(*patch));
      return {};
    }
    BERTH_TRY(const auto made, make(build.layer, before.layer));
    if (!made) return {};
    const fs::path file = folder_ / made->ref.blob.sha256;
    BERTH_CHECK(files::replace(file, made->blob));
    draft_.blobs.emplace(made->ref.blob.sha256, file);
    build.patches.push_back(made->ref);
    return {};
  }

  Result<std::optional<MadePatch>> make(const LayerRef& layer, const LayerRef& before) {
    if (layer.tar_size > bundle::kLargestPatched || before.tar_size > bundle::kLargestPatched) return std::nullopt;
    if (!fresh_) {
      BERTH_TRY(UnpackedLayer fresh, open(layer));
      fresh_.emplace(std::move(fresh));
    }
    BERTH_TRY(const UnpackedLayer old, open(before));
    return make_patch(old, *fresh_, layer, options_.effort);
  }

  Draft& draft_;
  const fs::path& repository_;
  std::vector<bundle::Manifest> releases_;  // of the app, newest first
  const PatchOptions& options_;
  const fs::path& folder_;
  std::optional<UnpackedLayer> fresh_;  // once it was needed
  std::vector<std::string> notes_;
};

}  // namespace

std::vector<std::string> add_patches(Draft& draft, const fs::path& repository, const std::string& environment, const PatchOptions& options,
                                     const fs::path& folder) {
  // What is wrong with the repository, whoever publishes finds out.
  std::vector<bundle::Manifest> releases;
  if (const auto state = trust::read_repository(repository); state && options.builds > 0)
    if (auto read = read_releases({repository}, *state, draft.spec.app, "")) releases = std::move(*read);
  return Patching(draft, repository, std::move(releases), options, folder).run(environment);
}

}  // namespace berth::publish
