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
  assign(deploy.bake, table.duration("bake"));
  assign(deploy.ready_timeout, table.duration("ready_timeout"));
  assign(deploy.drain, table.duration("drain"));
  read_share(table, "max_unavailable", deploy.max_unavailable);
  read_share(table, "max_surge", deploy.max_surge);
  if (const auto canary = table.table("canary")) deploy.canary = read_canary(*canary);
  if (!deploy.replaces_gradually())
    for (const char* key : {"max_unavailable", "max_surge"})
      if (table.has(key)) table.complain(key, "goes with strategy = \"rolling\" or \"canary\" only");
  if (deploy.strategy != Strategy::canary && table.has("canary")) table.complain("canary", "goes with strategy = \"canary\" only");
  table.done();
  return deploy;
}

}  // namespace berth::spec
