#include "core/bundle/manifest.h"

#include <array>
#include <charconv>

#include <fmt/core.h>

#include "core/json/json.h"

namespace berth::bundle {
namespace {

/// The numbers of a version such as 0.10.2, which `check` found to be one.
std::array<int, 3> numbers_of(std::string_view version) {
  std::array<int, 3> numbers{};
  const char* at = version.data();
  for (int& number : numbers) {
    at = std::from_chars(at, version.data() + version.size(), number).ptr;
    if (at != version.data() + version.size()) ++at;  // the dot
  }
  return numbers;
}

}  // namespace

std::string_view to_string(PatchBase base) { return base == PatchBase::all ? "all" : "changed"; }

std::string target_name(std::string_view app, std::string_view environment, std::string_view release) {
  return fmt::format("{}/{}/{}.json", app, environment, release);
}

std::string blob_path(std::string_view sha256) { return fmt::format("blobs/sha256/{}", sha256); }

Result<BuildRef> build_for(const Manifest& manifest, std::string_view platform) {
  for (const std::string_view wanted : {platform, std::string_view("any")})
    if (const auto found = manifest.builds.find(std::string(wanted)); found != manifest.builds.end()) return found->second;
  std::string there;
  for (const auto& [name, build] : manifest.builds) there += (there.empty() ? "" : ", ") + name;
  return fail(Errc::trust, fmt::format("{}/{}@{}: is built for {}, and this machine is {}", manifest.app, manifest.environment,
                                       manifest.release, there, platform));
}

bool comes_up_to(std::string_view version, std::string_view required) { return numbers_of(version) >= numbers_of(required); }

std::map<std::string, BlobRef> blobs_of(const Manifest& manifest) {
  std::map<std::string, BlobRef> blobs;
  const auto add = [&](const BlobRef& blob) { blobs.emplace(blob.sha256, blob); };
  for (const auto& [platform, build] : manifest.builds) {
    add(build.layer.blob);
    add(build.layer.index);
  }
  add(manifest.config.blob);
  add(manifest.config.index);
  for (const Attachment& attachment : manifest.attachments) add(attachment.blob);
  return blobs;
}

std::map<std::string, BlobRef> blobs_and_patches_of(const Manifest& manifest) {
  auto blobs = blobs_of(manifest);
  for (const auto& [platform, build] : manifest.builds)
    for (const PatchRef& patch : build.patches) blobs.emplace(patch.blob.sha256, patch.blob);
  return blobs;
}

Result<void> check_requirements(const Manifest& manifest, std::string_view berthd) {
  const auto refuse = [&](const std::string& what) {
    return fail(Errc::trust, fmt::format("{}/{}@{}: {}", manifest.app, manifest.environment, manifest.release, what));
  };
  if (!comes_up_to(berthd, manifest.requires_berthd))
    return refuse(fmt::format("requires berthd {}, and this is {}: upgrade berth on this node", manifest.requires_berthd, berthd));
  // No release needs more than a version yet; one that does is of a berth that is newer.
  if (!manifest.features.empty())
    return refuse(fmt::format("needs '{}', which berthd {} does not have: upgrade berth on this node", manifest.features.front(), berthd));
  return {};
}

std::string this_platform() {
#if defined(__x86_64__)
  return "linux/amd64";
#elif defined(__aarch64__)
  return "linux/arm64";
#else
#error "berth runs on amd64 and arm64"
#endif
}

}  // namespace berth::bundle
