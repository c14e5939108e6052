#include "daemon/ship/event_entry.h"

#include <algorithm>
#include <array>

#include <boost/json/serialize.hpp>

#include "core/json/json.h"
#include "core/utf8.h"

namespace berth::ship {
namespace {

std::string_view text_member(const boost::json::object& data, std::string_view key) {
  const auto* value = data.if_contains(key);
  if (value == nullptr || !value->is_string()) return {};
  return value->get_string();
}

/// What somebody should look at is a warning; everything else was to be expected.
Severity severity_of_event(const store::Event& event) {
  static constexpr auto kTroubles = std::to_array<std::string_view>({"instance.unready", "slot.drifted", "keeper.gone", "keeper.taken_over", "route.repaired", "route.lost", "start.unawaited", "start.failed",
                                                                     "follow.refused", "logs.lost", "logs.cursor_damaged", "webhook.cursor_damaged", "config.refused", "database.rebuilt", "events.damaged"});
  static constexpr std::array<std::string_view, 5> kBadStates{"failed", "reverting", "reverted", "interrupted", "cancelled"};
  if (std::ranges::find(kTroubles, event.kind) != kTroubles.end()) return Severity::warning;
  if (event.kind == "deployment.state" && std::ranges::find(kBadStates, text_member(event.data, "state")) != kBadStates.end()) return Severity::warning;
  if (event.kind == "instance.exit" && !was_asked_for(event)) return Severity::warning;
  if (event.kind == "job.ended" && text_member(event.data, "state") == "failed") return Severity::warning;
  return Severity::notice;
}

std::shared_ptr<Origin> own_origin(const NodeNames& names, std::string_view stream) {
  auto origin = std::make_shared<Origin>();
  origin->node = names.node;
  origin->environment = names.environment;
  origin->stream = stream;
  origin->labels = names.labels;
  return origin;
}

void change_texts_of(boost::json::value& value, const std::function<void(std::string&)>& change) {
  if (value.is_object()) {
    change_texts(value.get_object(), change);
  } else if (value.is_array()) {
    for (auto& element : value.get_array()) change_texts_of(element, change);
  } else if (value.is_string()) {
    std::string text(value.get_string());
    change(text);
    value = text;
  }
}

}  // namespace

bool was_asked_for(const store::Event& event) {
  const std::string_view reason = text_member(event.data, "reason");  // as `supervise::describe_exit` has it
  return reason == "stopped" || reason.starts_with("stopped: ") || reason == "restarted" || reason.starts_with("restarted: ");
}

void change_texts(boost::json::object& data, const std::function<void(std::string&)>& change) {
  for (auto& member : data) change_texts_of(member.value(), change);
}

Entry entry_of(const store::Event& event, const NodeNames& names) {
  auto origin = own_origin(names, kEventStream);
  origin->app = event.app;
  origin->release = text_member(event.data, "release");
  origin->instance = text_member(event.data, "instance");
  if (const auto* id = event.data.if_contains("deployment"); id != nullptr && id->is_int64()) origin->deployment = std::to_string(id->get_int64());
  const boost::json::object text{{"kind", event.kind}, {"app", event.app}, {"data", event.data}};
  return {.time = logs::parse_rfc3339(event.at).value_or(logs::Time{}),
          .severity = severity_of_event(event),
          .sequence = static_cast<std::uint64_t>(event.number),
          .text = as_utf8(boost::json::serialize(text)),
          .origin = std::move(origin)};
}

store::Event event_of(const Entry& entry) {
  store::Event event{.number = static_cast<std::int64_t>(entry.sequence), .at = logs::format_rfc3339(entry.time, 6), .kind = {}, .app = entry.origin->app, .data = {}};
  const auto text = json::parse(entry.text, {}, true);
  const auto* members = text ? text->if_object() : nullptr;
  if (members == nullptr) return event;
  event.kind = text_member(*members, "kind");
  const auto* data = members->if_contains("data");
  if (data != nullptr && data->is_object()) event.data = data->get_object();
  return event;
}

std::shared_ptr<const Origin> daemon_origin(const NodeNames& names) { return own_origin(names, kDaemonStream); }

}  // namespace berth::ship
