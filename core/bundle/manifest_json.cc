#include <algorithm>
#include <optional>

#include <fmt/core.h>

#include "core/bundle/checks.h"
#include "core/bundle/manifest.h"
#include "core/json/json.h"

namespace berth::bundle {
namespace {

using json::ObjectReader;

constexpr std::int64_t kFormat = 1;

json::value blob_json(const BlobRef& blob) { return json::object{{"sha256", blob.sha256}, {"size", static_cast<std::int64_t>(blob.size)}}; }

json::value layer_json(const LayerRef& layer) {
  return json::object{{"blob", blob_json(layer.blob)},
                      {"index", blob_json(layer.index)},
                      {"tar_sha256", layer.tar_sha256},
                      {"tar_size", static_cast<std::int64_t>(layer.tar_size)}};
}

json::value patch_json(const PatchRef& patch) {
  return json::object{{"from", patch.from},
                      {"base", to_string(patch.base)},
                      {"blob", blob_json(patch.blob)},
                      {"chunks", json::array(patch.chunks.begin(), patch.chunks.end())},
                      {"index_size", static_cast<std::int64_t>(patch.index_size)},
                      {"script_size", static_cast<std::int64_t>(patch.script_size)}};
}

/// `patches` is there only where there are any.
json::value build_json(const BuildRef& build) {
  json::object members{{"digest", build.digest}, {"version", build.version}, {"layer", layer_json(build.layer)}};
  if (build.patches.empty()) return members;
  json::array patches;
  for (const PatchRef& patch : build.patches) patches.push_back(patch_json(patch));
  members["patches"] = std::move(patches);
  return members;
}

json::value texts_json(const std::map<std::string, std::string>& texts) {
  json::object members;
  for (const auto& [name, text] : texts) members[name] = text;
  return members;
}

Result<BlobRef> blob_from(const json::value& json, const std::string& where) {
  ObjectReader reader(json, where);
  BlobRef blob{.sha256 = reader.string("sha256"), .size = static_cast<std::uint64_t>(reader.integer("size"))};
  BERTH_CHECK(reader.done());
  return blob;
}

Result<LayerRef> layer_from(const json::value& json, const std::string& where) {
  ObjectReader reader(json, where);
  LayerRef layer;
  const json::value blob(reader.members("blob")), index(reader.members("index"));
  layer.tar_sha256 = reader.string("tar_sha256");
  layer.tar_size = static_cast<std::uint64_t>(reader.integer("tar_size"));
  BERTH_CHECK(reader.done());
  BERTH_TRY(layer.blob, blob_from(blob, where + ".blob"));
  BERTH_TRY(layer.index, blob_from(index, where + ".index"));
  return layer;
}

std::vector<std::string> strings_from(ObjectReader& reader, std::string_view name) {
  std::vector<std::string> strings;
  for (const json::value& item : reader.list(name)) {
    if (const auto* text = item.if_string()) strings.emplace_back(*text);
    else reader.complain(fmt::format("member '{}' is not a list of strings", name));
  }
  return strings;
}

Result<PatchRef> patch_from(const json::value& json, const std::string& where) {
  ObjectReader reader(json, where);
  PatchRef patch;
  patch.from = reader.string("from");
  const std::string base = reader.string("base");
  patch.base = base == to_string(PatchBase::changed) ? PatchBase::changed : PatchBase::all;
  if (to_string(patch.base) != base) reader.complain("member 'base' is neither 'all' nor 'changed'");
  const json::value blob(reader.members("blob"));
  patch.chunks = strings_from(reader, "chunks");
  patch.index_size = static_cast<std::uint64_t>(reader.integer("index_size"));
  patch.script_size = static_cast<std::uint64_t>(reader.integer("script_size"));
  BERTH_CHECK(reader.done());
  BERTH_TRY(patch.blob, blob_from(blob, where + ".blob"));
  return patch;
}

Result<BuildRef> build_from(const json::value& json, const std::string& where) {
  ObjectReader reader(json, where);
  BuildRef build{.digest = reader.string("digest"), .version = reader.string("version"), .layer = {}, .patches = {}};
  const json::value layer(reader.members("layer"));
  const json::array patches = reader.list_or_empty("patches");
  BERTH_CHECK(reader.done());
  BERTH_TRY(build.layer, layer_from(layer, where + ".layer"));
  for (const json::value& item : patches) {
    BERTH_TRY(build.patches.emplace_back(), patch_from(item, where + ".patches"));
  }
  return build;
}

Result<Attachment> attachment_from(const json::value& json) {
  ObjectReader reader(json, "manifest: attachment");
  Attachment attachment{.name = reader.string("name"), .blob = {}};
  const json::value blob(reader.members("blob"));
  BERTH_CHECK(reader.done());
  BERTH_TRY(attachment.blob, blob_from(blob, "manifest: attachment.blob"));
  return attachment;
}

std::map<std::string, std::string> texts_from(ObjectReader& reader, std::string_view name) {
  std::map<std::string, std::string> texts;
  for (const auto& member : reader.members(name)) {
    if (const auto* text = member.value().if_string()) texts.emplace(member.key(), *text);
    else reader.complain(fmt::format("member '{}' in '{}' is not a string", std::string_view(member.key()), name));
  }
  return texts;
}

/// The members that are objects of their own.
Result<void> read_parts(Manifest& manifest, const json::object& members) {
  const auto part = [&members](const char* name) -> const json::value& { return members.at(name); };
  for (const auto& member : part("builds").as_object()) {
    const std::string platform(member.key());
    BERTH_TRY(manifest.builds[platform], build_from(member.value(), "manifest: builds." + platform));
  }
  BERTH_TRY(manifest.config, layer_from(part("config"), "manifest: config"));
  auto spec = spec::from_json(part("spec"));
  if (!spec) return pass(spec.error(), "manifest");
  manifest.spec = std::move(*spec);
  for (const json::value& item : part("attachments").as_array()) {
    BERTH_TRY(manifest.attachments.emplace_back(), attachment_from(item));
  }
  return {};
}

Result<Manifest> manifest_from(const json::value& json) {
  ObjectReader reader(json, "manifest");
  Manifest manifest;
  static_cast<void>(reader.integer("format", kFormat, kFormat));
  manifest.app = reader.string("app");
  manifest.environment = reader.string("environment");
  manifest.release = reader.string("release");
  manifest.variables = texts_from(reader, "variables");
  manifest.secrets = texts_from(reader, "secrets");
  manifest.requires_berthd = reader.string("requires_berthd");
  manifest.features = strings_from(reader, "features");
  manifest.commit = reader.string("commit");
  manifest.builder = reader.string("builder");
  manifest.created = reader.string("created");
  manifest.previous = reader.string("previous");
  for (const char* name : {"builds", "config", "spec"}) static_cast<void>(reader.members(name));
  static_cast<void>(reader.list("attachments"));
  BERTH_CHECK(reader.done());
  BERTH_CHECK(read_parts(manifest, json.get_object()));
  BERTH_CHECK(check(manifest));
  return manifest;
}

/// The version that a manifest requires, where it is one that this berth does not come up to.
std::optional<std::string> newer_than_this(const json::value& json) {
  const auto* members = json.if_object();
  const auto* member = members == nullptr ? nullptr : members->if_contains("requires_berthd");
  if (member == nullptr || !member->is_string()) return std::nullopt;
  std::string version(member->get_string());
  if (!is_version(version) || comes_up_to(BERTH_VERSION, version)) return std::nullopt;
  return version;
}

}  // namespace

std::string to_canonical_json(const Manifest& manifest) {
  json::object builds;
  for (const auto& [platform, build] : manifest.builds) builds[platform] = build_json(build);
  json::array attachments;
  for (const Attachment& attachment : manifest.attachments)
    attachments.push_back(json::object{{"name", attachment.name}, {"blob", blob_json(attachment.blob)}});
  const json::object members{{"format", kFormat},
                             {"app", manifest.app},
                             {"environment", manifest.environment},
                             {"release", manifest.release},
                             {"builds", std::move(builds)},
                             {"config", layer_json(manifest.config)},
                             {"spec", spec::to_json(manifest.spec)},
                             {"variables", texts_json(manifest.variables)},
                             {"secrets", texts_json(manifest.secrets)},
                             {"requires_berthd", manifest.requires_berthd},
                             {"features", json::array(manifest.features.begin(), manifest.features.end())},
                             {"commit", manifest.commit},
                             {"builder", manifest.builder},
                             {"created", manifest.created},
                             {"previous", manifest.previous},
                             {"attachments", std::move(attachments)}};
  return json::canonical(members).value();  // there are no fractions
}

Result<Manifest> parse_manifest(std::string_view text) {
  const auto json = json::parse(text, {.most_bytes = kLargestManifest});
  if (!json) return fail(Errc::trust, "manifest: " + json.error().message);
  auto manifest = manifest_from(*json);
  if (!manifest) {
    // One that this berth cannot read since it is of a newer one has nothing wrong with it.
    const auto newer = newer_than_this(*json);
    if (!newer) return manifest;
    return fail(Errc::trust, fmt::format("manifest: requires berthd {}, and this is {}: upgrade berth here ({})", *newer, BERTH_VERSION, manifest.error().message));
  }
  if (to_canonical_json(*manifest) != text) return fail(Errc::trust, "manifest: is not in canonical form");
  return manifest;
}

}  // namespace berth::bundle
