#include "core/publish/build.h"

#include <fmt/core.h>

#include "core/crypto/sha256.h"
#include "core/json/json.h"

namespace berth::publish {
namespace {

json::object blob_json(const bundle::BlobRef& blob) { return {{"sha256", blob.sha256}, {"size", blob.size}}; }

json::object layer_json(const bundle::LayerRef& layer) {
  return {{"blob", blob_json(layer.blob)}, {"index", blob_json(layer.index)}, {"tar_sha256", layer.tar_sha256}, {"tar_size", layer.tar_size}};
}

/// What was made by ourselves has a canonical form: it holds neither floating-point numbers nor numbers past int64.
std::string canonical_text(const json::value& value) { return json::canonical(value).value(); }

Result<bundle::BlobRef> parse_blob(const json::value& value, const std::string& where) {
  json::ObjectReader reader(value, where);
  bundle::BlobRef blob{.sha256 = reader.string("sha256"), .size = static_cast<std::uint64_t>(reader.integer("size"))};
  BERTH_CHECK(reader.done());
  return blob;
}

Result<bundle::LayerRef> parse_layer(const json::value& value, const std::string& where) {
  json::ObjectReader reader(value, where);
  const json::value* blob = reader.maybe("blob");
  const json::value* index = reader.maybe("index");
  bundle::LayerRef layer{.tar_sha256 = reader.string("tar_sha256"), .tar_size = static_cast<std::uint64_t>(reader.integer("tar_size"))};
  BERTH_CHECK(reader.done());
  if (blob == nullptr || index == nullptr) return fail(Errc::trust, where + ": member 'blob' or 'index' is missing");
  BERTH_TRY(layer.blob, parse_blob(*blob, where + ".blob"));
  BERTH_TRY(layer.index, parse_blob(*index, where + ".index"));
  return layer;
}

}  // namespace

std::string build_digest(std::string_view tar_sha256, const spec::AppSpec& spec) {
  return crypto::sha256_hex(std::string(tar_sha256) + "\n" + canonical_text(spec::to_json(spec)));
}

std::string short_digest(std::string_view digest) { return std::string(digest.substr(0, 12)); }

std::string to_canonical_json(const Build& build) {
  return canonical_text(json::object{{"format", 1},
                                     {"digest", build.ref.digest},
                                     {"version", build.ref.version},
                                     {"platform", build.platform},
                                     {"layer", layer_json(build.ref.layer)},
                                     {"spec", spec::to_json(build.spec)},
                                     {"commit", build.commit},
                                     {"builder", build.builder},
                                     {"created", build.created}});
}

Result<Build> parse_build(std::string_view text, const std::string& name) {
  const auto parsed = json::parse(text);
  if (!parsed) return fail(Errc::trust, fmt::format("{}: {}", name, parsed.error().message));
  json::ObjectReader reader(*parsed, name);
  reader.integer("format", 1, 1);
  Build build{.platform = reader.string("platform"),
              .ref = {.digest = reader.string("digest"), .version = reader.string("version")},
              .commit = reader.string("commit"),
              .builder = reader.string("builder"),
              .created = reader.string("created")};
  const json::value* layer = reader.maybe("layer");
  const json::value* spec = reader.maybe("spec");
  BERTH_CHECK(reader.done());
  if (layer == nullptr || spec == nullptr) return fail(Errc::trust, name + ": member 'layer' or 'spec' is missing");
  BERTH_TRY(build.ref.layer, parse_layer(*layer, name + ": layer"));
  auto app_spec = spec::from_json(*spec);
  if (!app_spec) return pass(app_spec.error(), name);
  build.spec = std::move(*app_spec);
  if (build_digest(build.ref.layer.tar_sha256, build.spec) != build.ref.digest)
    return fail(Errc::trust, fmt::format("{}: layer and spec do not make the digest {}", name, build.ref.digest));
  return build;
}

}  // namespace berth::publish
