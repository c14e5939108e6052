#include "core/spec/deploy_toml.h"

#include "core/spec/words.h"

namespace berth::spec {
namespace {

/// A number, or percents in quotes.
void read_share(TomlTable& table, std::string_view key, Share& share) {
  if (table.has_integer(key)) {
    if (const auto number = table.integer(key, 0, kMostShared)) share = {.number = static_cast<int>(*number), .percent = false};
    return;
  }
  const auto text = table.string(key);
  if (!text) return;
  const auto parsed = parse_share(*text);
  if (parsed) share = *parsed;
  else table.complain(key, "is wrong: " + parsed.error().message);
}

/// A number for so many a second, or "5/m".
void read_rate(TomlTable& table, Rate& rate) {
  constexpr std::string_view kMaxRate = "max_rate";
  if (!table.has(kMaxRate)) return table.complain(kMaxRate, "is missing");
  if (table.has_integer(kMaxRate)) {
    if (const auto number = table.integer(kMaxRate, 0, kMostRate)) rate.number = static_cast<int>(*number);
    return;
  }
  const auto text = table.string(kMaxRate);
  if (!text) return;
  const auto parsed = parse_rate(*text);
  if (parsed) rate = *parsed;
  else table.complain(kMaxRate, "is wrong: " + parsed.error().message);
}

BakeMetric read_metric(TomlTable table) {
  BakeMetric metric;
  if (!table.has("query")) table.complain("query", "is missing");
  assign(metric.path, table.string("path"));
  assign(metric.query, table.string("query"));
  assign(metric.port, table.string("port"));
  assign(metric.process, table.string("process"));
  read_rate(table, metric.max_rate);
  table.done();
  return metric;
}

BakeLog read_log(TomlTable table) {
  BakeLog log;
  if (!table.has("pattern")) table.complain("pattern", "is missing");
  assign(log.pattern, table.string("pattern"));
  read_rate(table, log.max_rate);
  table.done();
  return log;
}

/// A duration, or a table that says more.
void read_bake(TomlTable& table, Bake& bake) {
  if (!table.has_table("bake")) {
    assign(bake.duration, table.duration("bake"));
    return;
  }
  auto inside = *table.table("bake");
  assign(bake.duration, inside.duration("duration"));
  assign(bake.reboots, inside.integer("reboots", 1, kMostReboots));
  if (const auto metric = inside.table("metric")) bake.metric = read_metric(*metric);
  if (const auto log = inside.table("log")) bake.log = read_log(*log);
  if (bake.duration.count() == 0)
    for (const char* key : {"reboots", "metric", "log"})
      if (inside.has(key)) inside.complain(key, "has no bake to count in: its duration is 0s");
  inside.done();
}

Canary read_canary(TomlTable table) {
  Canary canary;
  assign(canary.instances, table.integer("instances", 1, kMostShared));
  assign(canary.bake, table.duration("bake"));
  table.done();
  return canary;
}

}  // namespace

Deploy read_deploy(TomlTable table) {
  Deploy deploy;
  if (const auto strategy = table.choice("strategy", kStrategies)) deploy.strategy = static_cast<Strategy>(*strategy);
  read_bake(table, deploy.bake);
  assign(deploy.ready_timeout, table.duration("ready_timeout"));
  assign(deploy.drain, table.duration("drain"));
  read_share(table, "max_unavailable", deploy.max_unavailable);
  read_share(table, "max_surge", deploy.max_surge);
  if (const auto canary = table.table("canary")) deploy.canary = read_canary(*canary);
  if (!deploy.replaces_gradually())
    for (const char* key : {"max_unavailable", "max_surge"})
      if (table.has(key)) table.complain(key, "goes with strategy = \"rolling\" or \"canary\" only");
  if (deploy.strategy != Strategy::canary && table.has("canary")) table.complain("canary", "goes with strategy = \"canary\" only");
  assign(deploy.after, table.strings("after"));
  assign(deploy.priority, table.integer("priority", -kMostPriority, kMostPriority));
  table.done();
  return deploy;
}

}  // namespace berth::spec
