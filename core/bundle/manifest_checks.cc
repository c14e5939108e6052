#include <algorithm>

#include <fmt/core.h>

#include "core/bundle/checks.h"
#include "core/bundle/layer.h"
#include "core/bundle/manifest.h"
#include "core/ids.h"
#include "core/patch/script.h"

namespace berth::bundle {
namespace {

constexpr std::size_t kMostOfAKind = 64;
constexpr std::size_t kLongestValue = 32u << 10;

std::unexpected<Error> wrong(std::string_view member, std::string_view what) {
  return fail(Errc::trust, fmt::format("manifest: member '{}' {}", member, what));
}

Result<void> check_blob(const BlobRef& blob, const std::string& where) {
  if (!is_sha256(blob.sha256)) return wrong(where + ".sha256", "is no SHA-256 in lower-case hex digits");
  if (blob.size == 0 || blob.size > kLargestBlob) return wrong(where + ".size", "is 0, or too large");
  return {};
}

Result<void> check_layer(const LayerRef& layer, const std::string& where) {
  BERTH_CHECK(check_blob(layer.blob, where + ".blob"));
  BERTH_CHECK(check_blob(layer.index, where + ".index"));
  if (!is_sha256(layer.tar_sha256)) return wrong(where + ".tar_sha256", "is no SHA-256 in lower-case hex digits");
  if (layer.tar_size < 1024 || layer.tar_size % 512 != 0 || layer.tar_size > kLargestBlob)
    return wrong(where + ".tar_size", "is not the size of a tar");
  if (layer.index.size > kLargestIndex) return wrong(where + ".index.size", "is too large");
  return {};
}

Result<void> check_patch(const PatchRef& patch, const LayerRef& layer, const std::string& where) {
  if (!is_sha256(patch.from)) return wrong(where + ".from", "is no SHA-256 in lower-case hex digits");
  if (patch.from == layer.index.sha256) return wrong(where + ".from", "is the build itself");
  BERTH_CHECK(check_blob(patch.blob, where + ".blob"));
  if (patch.blob.size > kLargestPatch) return wrong(where + ".blob.size", "is too large");
  if (patch.blob.size >= layer.blob.size + layer.index.size) return wrong(where + ".blob.size", "is not smaller than the layer's");
  if (patch.chunks.size() != (patch.blob.size + kChunk - 1) / kChunk)
    return wrong(where + ".chunks", fmt::format("are {}, and not one for each MiB of {} bytes", patch.chunks.size(), patch.blob.size));
  if (!std::ranges::all_of(patch.chunks, is_sha256)) return wrong(where + ".chunks", "have one that is no SHA-256 in lower-case hex digits");
  if (patch.index_size == 0 || patch.index_size >= patch.blob.size) return wrong(where + ".index_size", "leaves no room for two frames");
  if (patch.script_size < patch::kScriptHeader || patch.script_size > patch::largest_script(layer.tar_size))
    return wrong(where + ".script_size", "is not the size of a script that makes the layer's tar");
  return {};
}

Result<void> check_patches(const BuildRef& build, const std::string& where) {
  if (build.patches.empty()) return {};
  if (build.patches.size() > kMostPatches) return wrong(where, "are too many");
  if (build.layer.tar_size > kLargestPatched) return wrong(where, "are of a layer that is too large to have any");
  std::string_view last;
  for (const PatchRef& patch : build.patches) {
    BERTH_CHECK(check_patch(patch, build.layer, where));
    if (patch.from <= last) return wrong(where, "are not sorted by 'from', each once");
    last = patch.from;
  }
  return {};
}

Result<void> check_names(const Manifest& manifest) {
  if (!is_name(manifest.app)) return wrong("app", "is no name of an app");
  if (!is_name(manifest.environment)) return wrong("environment", "is no name of an environment");
  if (!is_release_id(manifest.release)) return wrong("release", "is no id of a release");
  if (!manifest.previous.empty() && !is_release_id(manifest.previous)) return wrong("previous", "is no id of a release");
  if (manifest.spec.app != manifest.app)
    return wrong("spec", fmt::format("is of app '{}', and the release of '{}'", manifest.spec.app, manifest.app));
  if (!is_time(manifest.created)) return wrong("created", "is no time such as 2026-11-24T09:00:00Z");
  if (!is_version(manifest.requires_berthd)) return wrong("requires_berthd", "is no version such as 0.1.0");
  if (!is_line(manifest.commit, 200)) return wrong("commit", "is not a line of at most 200 bytes");
  if (!is_line(manifest.builder, 200)) return wrong("builder", "is not a line of at most 200 bytes");
  return {};
}

Result<void> check_builds(const Manifest& manifest) {
  if (manifest.builds.empty()) return wrong("builds", "names no build");
  if (manifest.builds.size() > kMostOfAKind) return wrong("builds", "has too many platforms");
  for (const auto& [platform, build] : manifest.builds) {
    const std::string where = "builds." + platform;
    if (!is_platform(platform)) return wrong(where, "is no platform such as linux/amd64, nor 'any'");
    if (!is_sha256(build.digest)) return wrong(where + ".digest", "is no SHA-256 in lower-case hex digits");
    if (!is_line(build.version, 200)) return wrong(where + ".version", "is not a line of at most 200 bytes");
    BERTH_CHECK(check_layer(build.layer, where + ".layer"));
    BERTH_CHECK(check_patches(build, where + ".patches"));
  }
  return check_layer(manifest.config, "config");
}

/// Declared, with a value or a reference but not both, and none that is required missing.
Result<void> check_variables(const Manifest& manifest) {
  const auto& declared = manifest.spec.variables;
  for (const auto& [name, value] : manifest.variables) {
    const auto found = declared.find(name);
    if (found == declared.end()) return wrong("variables", fmt::format("sets '{}', which the app does not declare", name));
    if (found->second.secret) return wrong("variables", fmt::format("holds the secret '{}' itself, and must refer to it", name));
    if (!is_line(value, kLongestValue))
      return wrong("variables", fmt::format("has a value for '{}' with control characters, or of over 32 KiB: use a file", name));
  }
  for (const auto& [name, reference] : manifest.secrets) {
    if (!is_variable_name(name)) return wrong("secrets", fmt::format("has '{}', which is no name of a variable", name));
    if (manifest.variables.contains(name)) return wrong("secrets", fmt::format("has '{}', which is among the variables, too", name));
    if (!is_line(reference, 1024) || reference.find(':') == std::string::npos || reference.starts_with(':'))
      return wrong("secrets", fmt::format("has no reference such as file:/etc/secret for '{}'", name));
  }
  for (const auto& [name, variable] : declared)
    if (variable.required && !manifest.variables.contains(name) && !manifest.secrets.contains(name))
      return wrong("variables", fmt::format("has no '{}', which the app requires", name));
  return {};
}

Result<void> check_lists(const Manifest& manifest) {
  if (manifest.features.size() > kMostOfAKind || !std::ranges::all_of(manifest.features, is_name))
    return wrong("features", "are not a few names");
  if (!std::ranges::is_sorted(manifest.features, std::ranges::less_equal())) return wrong("features", "are not sorted, each once");
  if (manifest.attachments.size() > kMostOfAKind) return wrong("attachments", "are too many");
  std::string_view last;
  for (const Attachment& attachment : manifest.attachments) {
    if (!is_release_id(attachment.name)) return wrong("attachments", "have a name that is not letters, digits, '.', '_' and '-'");
    if (attachment.name <= last) return wrong("attachments", "are not sorted by name, each once");
    last = attachment.name;
    BERTH_CHECK(check_blob(attachment.blob, "attachments." + attachment.name));
  }
  return {};
}

}  // namespace

Result<void> check(const Manifest& manifest) {
  BERTH_CHECK(check_names(manifest));
  BERTH_CHECK(check_builds(manifest));
  BERTH_CHECK(check_variables(manifest));
  return check_lists(manifest);
}

}  // namespace berth::bundle
