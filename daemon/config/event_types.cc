#include "daemon/config/event_types.h"

namespace berth::config {
namespace {

struct EventType {
  const char* name;
  bool is_usual;
};

constexpr EventType kTypes[] = {
    {"deployment.queued", true},      {"deployment.fetching", false},    {"deployment.unpacking", false},  {"deployment.sealed", false},
    {"deployment.preparing", false},  {"deployment.starting", false},    {"deployment.canary", false},     {"deployment.switching", false},
    {"deployment.baking", false},     {"deployment.active", true},       {"deployment.failed", true},      {"deployment.reverting", true},
    {"deployment.reverted", true},    {"deployment.cancelled", true},    {"deployment.superseded", false}, {"deployment.interrupted", true},
    {"deployment.note", false},       {"instance.exit", true},           {"instance.stopped", false},      {"instance.unready", true},
    {"instance.ready", true},         {"keeper.gone", true},             {"keeper.taken_over", false},     {"start.failed", true},
    {"start.unawaited", false},       {"job.started", false},            {"job.ok", false},                {"job.failed", true},
    {"job.stopped", false},           {"hook.started", false},           {"hook.ended", false},            {"exec.ended", false},
    {"slot.sealed", false},           {"slot.removed", false},           {"slot.drifted", true},           {"slot.whole", true},
    {"slot.repaired", false},         {"data.copied", false},            {"data.restored", false},         {"data.removed", false},
    {"follow.wanted", false},         {"follow.refused", true},          {"route.repaired", false},        {"route.lost", true},             {"config.refused", true},
    {"config.reloaded", false},
    {"database.rebuilt", true},       {"events.damaged", true},         {"events.repaired", false},       {"events.dropped", true},         {"logs.lost", true},               {"logs.cursor_damaged", false},   {"webhook.cursor_damaged", false},
    {"operator.hold", true},          {"operator.resume", true},         {"operator.stop", true},          {"operator.start", true},
    {"operator.restart", false},      {"operator.remove", true},         {"operator.node_drain", true},    {"operator.node_resume", true},
    {"operator.scale", false},        {"operator.pin", false},           {"operator.unpin", false},        {"operator.mark", false},
    {"operator.exec", false},         {"operator.import", false},        {"operator.gc", false},           {"operator.webhook_test", false},
    {"operator.restore", true},
};

}  // namespace

std::vector<std::string> event_types() {
  std::vector<std::string> all;
  for (const EventType& type : kTypes) all.emplace_back(type.name);
  return all;
}

std::vector<std::string> usual_event_types() {
  std::vector<std::string> usual;
  for (const EventType& type : kTypes)
    if (type.is_usual) usual.emplace_back(type.name);
  return usual;
}

bool matches_type(std::string_view pattern, std::string_view type) {
  if (pattern.ends_with('*')) return type.starts_with(pattern.substr(0, pattern.size() - 1));
  return pattern == type;
}

}  // namespace berth::config
