#include "core/spec/deploy_json.h"

#include <fmt/core.h>

#include "core/json/json.h"
#include "core/spec/app_spec.h"
#include "core/spec/json_parts.h"
#include "core/spec/words.h"

namespace berth::spec {
namespace {

using json::ObjectReader;

Share share_from(ObjectReader& reader, std::string_view name) {
  const std::string text = reader.string(name);
  const auto parsed = parse_share(text);
  if (parsed && to_string(*parsed) == text) return *parsed;
  reader.complain(fmt::format("member '{}': '{}' is no share of instances, or not in its shortest form", name, text));
  return {};
}

Result<Canary> canary_from(ObjectReader& reader) {
  const json::value members(reader.members("canary"));
  if (reader.maybe("canary") == nullptr) return Canary();  // complained of already
  ObjectReader inside(members, reader.where() + ".canary");
  Canary canary;
  canary.instances = static_cast<int>(inside.integer("instances", 1, kMostShared));
  canary.bake = duration(inside, "bake");
  BERTH_CHECK(inside.done());
  return canary;
}

}  // namespace

json::value deploy_json(const Deploy& deploy) {
  json::object out{{"bake", to_string(deploy.bake)}, {"ready_timeout", to_string(deploy.ready_timeout)}, {"drain", to_string(deploy.drain)}};
  if (deploy.strategy) out["strategy"] = to_string(*deploy.strategy);
  if (deploy.replaces_gradually()) {
    out["max_unavailable"] = to_string(deploy.max_unavailable);
    out["max_surge"] = to_string(deploy.max_surge);
  }
  if (deploy.strategy == Strategy::canary) out["canary"] = json::object{{"instances", deploy.canary.instances}, {"bake", to_string(deploy.canary.bake)}};
  return out;
}

Result<Deploy> deploy_from(const json::value& json) {
  ObjectReader reader(json, "spec: deploy");
  Deploy deploy;
  if (reader.maybe("strategy") != nullptr) deploy.strategy = static_cast<Strategy>(choice(reader, "strategy", kStrategies));
  deploy.bake = duration(reader, "bake");
  deploy.ready_timeout = duration(reader, "ready_timeout");
  deploy.drain = duration(reader, "drain");
  if (deploy.replaces_gradually()) {
    deploy.max_unavailable = share_from(reader, "max_unavailable");
    deploy.max_surge = share_from(reader, "max_surge");
  }
  if (deploy.strategy == Strategy::canary) {
    BERTH_TRY(deploy.canary, canary_from(reader));
  }
  BERTH_CHECK(reader.done());
  return deploy;
}

}  // namespace berth::spec
