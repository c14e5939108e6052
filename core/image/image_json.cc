#include "core/image/image_json.h"

#include <algorithm>
#include <array>

#include <fmt/core.h>

#include "core/bundle/checks.h"
#include "core/bundle/entry_rules.h"
#include "core/image/json_parts.h"

namespace berth::image {
namespace {

using json::ObjectReader;

constexpr std::size_t kMostManifests = 1000;
constexpr std::string_view kReferenceName = "org.opencontainers.image.ref.name";
constexpr std::string_view kReferenceType = "vnd.docker.reference.type";

constexpr std::array<std::string_view, 2> kIndexes{"application/vnd.oci.image.index.v1+json",
                                                   "application/vnd.docker.distribution.manifest.list.v2+json"};
constexpr std::array<std::string_view, 2> kManifests{"application/vnd.oci.image.manifest.v1+json",
                                                     "application/vnd.docker.distribution.manifest.v2+json"};
constexpr std::array<std::string_view, 2> kConfigs{"application/vnd.oci.image.config.v1+json", "application/vnd.docker.container.image.v1+json"};
constexpr std::array<std::string_view, 7> kLayers{
    "application/vnd.oci.image.layer.v1.tar",      "application/vnd.oci.image.layer.v1.tar+gzip",
    "application/vnd.oci.image.layer.v1.tar+zstd", "application/vnd.docker.image.rootfs.diff.tar",
    "application/vnd.docker.image.rootfs.diff.tar.gzip", "application/vnd.docker.image.rootfs.diff.tar.zstd",
    "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"};

Platform platform_from(const json::value& value, const std::string& where, Result<void>& result) {
  ObjectReader reader(value, where, Errc::usage);
  Platform platform{.os = reader.string_or("os", ""), .architecture = reader.string_or("architecture", ""), .variant = reader.string_or("variant", "")};
  result = reader.done(true);
  return platform;
}

Result<Descriptor> descriptor_from(const json::value& value, const std::string& where) {
  ObjectReader reader(value, where, Errc::usage);
  Descriptor blob{.media_type = reader.string("mediaType"), .size = static_cast<std::uint64_t>(reader.integer("size"))};
  const std::string digest = reader.string("digest");
  Result<void> result;
  if (const json::value* platform = reader.maybe("platform")) blob.platform = platform_from(*platform, where + ": platform", result);
  for (const auto& annotation : reader.members_or_empty("annotations"))
    if (annotation.key() == kReferenceName && annotation.value().is_string()) blob.tag = annotation.value().get_string();
  BERTH_CHECK(reader.done(true));
  BERTH_CHECK(result);
  BERTH_TRY(blob.sha256, sha256_of_digest(digest, where));
  return blob;
}

/// Something that is there beside images: a signature, an SBOM.
bool is_attachment(const json::value& value) {
  const json::object* descriptor = value.if_object();
  const json::value* annotations = descriptor == nullptr ? nullptr : descriptor->if_contains("annotations");
  return annotations != nullptr && annotations->is_object() && annotations->get_object().contains(kReferenceType);
}

}  // namespace

std::string to_string(const Platform& platform) {
  if (platform.empty()) return "an unknown platform";
  return platform.os + "/" + platform.architecture + (platform.variant.empty() ? "" : "/" + platform.variant);
}

Kind kind_of(std::string_view media_type) {
  const auto is_one = [media_type](const auto& types) { return std::ranges::find(types, media_type) != types.end(); };
  if (is_one(kIndexes)) return Kind::index;
  if (is_one(kManifests)) return Kind::manifest;
  if (is_one(kConfigs)) return Kind::config;
  return is_one(kLayers) ? Kind::layer : Kind::other;
}

Result<std::string> sha256_of_digest(std::string_view digest, const std::string& where) {
  constexpr std::string_view kAlgorithm = "sha256:";
  const std::string_view hex = digest.starts_with(kAlgorithm) ? digest.substr(kAlgorithm.size()) : std::string_view();
  if (bundle::is_sha256(hex)) return std::string(hex);
  return fail(Errc::usage, fmt::format("{}: '{}' is no digest that berth reads: sha256:, and 64 digits of 0-9a-f", where, bundle::shown(digest)));
}

Result<std::vector<Descriptor>> parse_index(std::string_view text, const std::string& where) {
  BERTH_TRY(const json::value value, parse_document(text, where));
  ObjectReader reader(value, where, Errc::usage);
  std::vector<Descriptor> found;
  const json::array& manifests = reader.list("manifests");
  BERTH_CHECK(reader.done(true));
  if (manifests.size() > kMostManifests) return fail(Errc::usage, fmt::format("{}: lists more than {} manifests", where, kMostManifests));
  for (const json::value& one : manifests) {
    if (is_attachment(one)) continue;
    BERTH_TRY(Descriptor blob, descriptor_from(one, where + ": a manifest"));
    if (blob.platform.os != "unknown") found.push_back(std::move(blob));
  }
  return found;
}

Result<Manifest> parse_manifest(std::string_view text, const std::string& where) {
  BERTH_TRY(const json::value value, parse_document(text, where));
  ObjectReader reader(value, where, Errc::usage);
  Manifest manifest;
  const json::value* config = reader.maybe("config");
  const json::array& layers = reader.list_or_empty("layers");
  if (reader.integer_or("schemaVersion", 2) != 2) reader.complain("is of a schema that Docker gave up in 2017; pull the image with a newer tool");
  if (config == nullptr) reader.complain("names no config: it is no manifest of an image");
  BERTH_CHECK(reader.done(true));
  BERTH_TRY(manifest.config, descriptor_from(*config, where + ": config"));
  if (kind_of(manifest.config.media_type) != Kind::config)
    return fail(Errc::usage, fmt::format("{}: is no container image, but holds '{}'", where, bundle::shown(manifest.config.media_type)));
  if (layers.size() > kMostLayers) return fail(Errc::usage, fmt::format("{}: has more than {} layers", where, kMostLayers));
  for (const json::value& one : layers) {
    BERTH_TRY(Descriptor layer, descriptor_from(one, fmt::format("{}: layer {}", where, manifest.layers.size() + 1)));
    if (kind_of(layer.media_type) != Kind::layer)
      return fail(Errc::usage, fmt::format("{}: layer {} is '{}', which berth does not read: it reads tars, plain, by gzip or by zstd", where,
                                           manifest.layers.size() + 1, bundle::shown(layer.media_type)));
    manifest.layers.push_back(std::move(layer));
  }
  return manifest;
}

Result<std::vector<SavedImage>> parse_saved(std::string_view text, const std::string& where) {
  BERTH_TRY(const json::value value, parse_document(text, where));
  const json::array* images = value.if_array();
  if (images == nullptr || images->empty()) return fail(Errc::usage, where + ": is no list of images");
  if (images->size() > kMostManifests) return fail(Errc::usage, fmt::format("{}: lists more than {} images", where, kMostManifests));
  std::vector<SavedImage> saved;
  for (const json::value& one : *images) {
    ObjectReader reader(one, where, Errc::usage);
    SavedImage image{.config = reader.string("Config"), .tags = texts_of(reader, "RepoTags"), .layers = texts_of(reader, "Layers")};
    BERTH_CHECK(reader.done(true));
    if (image.layers.size() > kMostLayers) return fail(Errc::usage, fmt::format("{}: has more than {} layers", where, kMostLayers));
    saved.push_back(std::move(image));
  }
  return saved;
}

}  // namespace berth::image
