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

Rate rate_from(ObjectReader& reader, std::string_view name) {
  const std::string text = reader.string(name);
  const auto parsed = parse_rate(text);
  if (parsed && to_string(*parsed) == text) return *parsed;
  reader.complain(fmt::format("member '{}': '{}' is no rate, or not in its only form", name, text));
  return {};
}

Result<BakeMetric> metric_from(const json::value& json) {
  ObjectReader reader(json, "spec: deploy.bake.metric");
  BakeMetric metric;
  metric.path = reader.string("path");
  metric.query = reader.string("query");
  metric.max_rate = rate_from(reader, "max_rate");
  metric.port = reader.string("port");
  metric.process = reader.string("process");
  BERTH_CHECK(reader.done());
  return metric;
}

Result<BakeLog> log_from(const json::value& json) {
  ObjectReader reader(json, "spec: deploy.bake.log");
  BakeLog log;
  log.pattern = reader.string("pattern");
  log.max_rate = rate_from(reader, "max_rate");
  BERTH_CHECK(reader.done());
  return log;
}

/// The time alone, as it was before there was more to say, or all there is.
json::value bake_json(const Bake& bake) {
  if (bake == Bake{.duration = bake.duration}) return json::value(to_string(bake.duration));
  json::object out{{"duration", to_string(bake.duration)}, {"reboots", bake.reboots}};
  if (bake.metric) {
    out["metric"] = json::object{{"path", bake.metric->path}, {"query", bake.metric->query}, {"max_rate", to_string(bake.metric->max_rate)},
                                 {"port", bake.metric->port}, {"process", bake.metric->process}};
  }
  if (bake.log) out["log"] = json::object{{"pattern", bake.log->pattern}, {"max_rate", to_string(bake.log->max_rate)}};
  return out;
}

Result<Bake> bake_from(ObjectReader& reader) {
  Bake bake;
  const json::value* member = reader.maybe("bake");
  if (member == nullptr || !member->is_object()) {
    bake.duration = duration(reader, "bake");
    return bake;
  }
  ObjectReader inside(*member, "spec: deploy.bake");
  bake.duration = duration(inside, "duration");
  bake.reboots = static_cast<int>(inside.integer("reboots", 1, kMostReboots));
  if (const json::value* metric = inside.maybe("metric")) {
    BERTH_TRY(bake.metric, metric_from(*metric));
  }
  if (const json::value* log = inside.maybe("log")) {
    BERTH_TRY(bake.log, log_from(*log));
  }
  if (bake == Bake{.duration = bake.duration}) inside.complain("says no more than its duration, and is written as that alone");
  BERTH_CHECK(inside.done());
  return bake;
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
  json::object out{{"bake", bake_json(deploy.bake)}, {"ready_timeout", to_string(deploy.ready_timeout)}, {"drain", to_string(deploy.drain)}};
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
  BERTH_TRY(deploy.bake, bake_from(reader));
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
