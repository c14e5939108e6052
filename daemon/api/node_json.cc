#include <chrono>

#include "core/logs/record_time.h"
#include "core/utf8.h"
#include "daemon/api/to_json.h"

namespace berth::api {
namespace {

using boost::json::array;
using boost::json::object;

object repository_json(const metrics::NodeStatus& node) {
  array roles;
  for (const auto& role : node.trust.roles) {
    const auto expires = std::chrono::time_point_cast<std::chrono::nanoseconds>(role.expires);
    roles.push_back({{"role", role.role}, {"version", role.version}, {"expires", logs::format_rfc3339(expires, 0)}});
  }
  return {{"url", as_utf8(node.repository)},
          {"root", as_utf8(node.root)},
          {"ca_file", as_utf8(node.ca_file)},
          {"certificate_file", as_utf8(node.certificate_file)},
          {"key_file", as_utf8(node.key_file)},
          {"last_success", node.trust.last_success},
          {"last_error", as_utf8(node.trust.last_error)},
          {"roles", std::move(roles)}};
}

boost::json::value drain_json(const std::optional<store::Drain>& drain) {
  if (!drain) return nullptr;
  return object{{"at", drain->at}, {"by", as_utf8(drain->by)}, {"why", as_utf8(drain->why)}};
}

object disk_json(const metrics::NodeStatus& node) {
  object disk{{"free_bytes", node.disk_free}, {"reserve_bytes", node.disk_reserve}, {"logs", nullptr}};
  if (node.logs_disk) disk["logs"] = object{{"free_bytes", node.logs_disk->free}, {"reserve_bytes", node.logs_disk->reserve}};
  return disk;
}

boost::json::value listener_json(const std::optional<metrics::NodeStatus::Listener>& listener) {
  if (!listener) return nullptr;
  std::string expires;
  if (listener->certificate_ends) expires = logs::format_rfc3339(std::chrono::time_point_cast<std::chrono::nanoseconds>(*listener->certificate_ends), 0);
  return object{{"listen", listener->listen}, {"certificate_expires", expires}, {"ending", listener->is_ending}, {"problem", as_utf8(listener->problem)}};
}

boost::json::value refused_json(const std::optional<metrics::NodeStatus::Refused>& refused) {
  if (!refused) return nullptr;
  return object{{"at", refused->at}, {"reason", as_utf8(refused->reason)}};
}

/// Seconds, those that are whole without the exponent that a serializer gives to other numbers.
boost::json::value seconds_json(double seconds) {
  const auto whole = static_cast<std::int64_t>(seconds);
  if (static_cast<double>(whole) == seconds) return whole;
  return seconds;
}

object webhook_json(const ship::SinkStatus& webhook) {
  const ship::ShippedCounts all = webhook.all();
  return {{"webhook", webhook.name},
          {"state", webhook.state},
          {"lag_seconds", seconds_json(webhook.lag_seconds)},
          {"last_success", webhook.last_success},
          {"failing_since", webhook.failing_since},
          {"last_error", as_utf8(webhook.last_error)},
          {"delivered", all.shipped},
          {"dropped", all.refused},
          {"dropped_at", webhook.refused_at},
          {"dropped_why", as_utf8(webhook.refused_why)},
          {"retries", webhook.retries}};
}

}  // namespace

object to_json(const metrics::NodeStatus& node, const std::vector<deploy::AppStatus>& apps) {
  array list, follows, left, sinks, webhooks;
  for (const auto& one : node.left) left.push_back({{"app", one.app}, {"data", one.data}, {"logs", one.logs}});
  for (const auto& app : apps) list.push_back(to_json(app, node.follows));
  for (const auto& one : node.follows) follows.push_back(to_json(one));
  for (const auto& one : node.sinks) sinks.push_back(to_json(one));
  for (const auto& one : node.webhooks) webhooks.push_back(webhook_json(one));
  return {{"node", node.node},
          {"environment", node.environment},
          {"version", node.version},
          {"since", node.since},
          {"ready", node.ready},
          {"repository", repository_json(node)},
          {"disk", disk_json(node)},
          {"limits_enforced", node.limits_enforced},
          {"config_refused", refused_json(node.config_refused)},
          {"events_damaged", as_utf8(node.events_intrusion.empty() ? node.events_trouble : node.events_intrusion)},
          {"remote_api", listener_json(node.remote_api)},
          {"metrics_listener", listener_json(node.metrics_listener)},
          {"drained", drain_json(node.drained)},
          {"paths", {{"state", node.paths.state.string()}, {"logs", node.paths.logs.string()}, {"run", node.paths.run.string()}, {"config", as_utf8(node.config_file)}}},
          {"follows", std::move(follows)},
          {"left", std::move(left)},
          {"sinks", std::move(sinks)},
          {"webhooks", std::move(webhooks)},
          {"apps", std::move(list)}};
}

/// Without texts, which may name hosts and files.
object summary_json(const ship::SinkStatus& sink) {
  const object whole = to_json(sink);
  object summary;
  for (const char* key : {"sink", "kind", "state", "lag_seconds", "last_success", "failing_since", "shipped", "refused", "limited", "lost"}) summary[key] = whole.at(key);
  return summary;
}

object summary_json(const metrics::NodeStatus& node, const std::vector<deploy::AppStatus>& apps) {
  array list;
  for (const auto& app : apps) {
    array instances;
    for (const auto& view : app.instances) {
      const InstanceId& id = view.status.id;
      instances.push_back({{"process", id.process}, {"number", id.number}, {"release", id.release}, {"up", view.status.pid != 0}, {"ready", view.status.ready},
                           {"serving", view.serving}, {"stopped", view.stopped.has_value()},
                           {"restarts", view.status.restarts}, {"crash_looping", view.status.crash_loop}});
    }
    list.push_back({{"app", app.row.app},
                    {"health", app.health},
                    {"release", app.row.active},
                    {"previous", app.row.previous},
                    {"held", static_cast<bool>(app.row.held)},
                    {"troubled", !app.problem.empty()},
                    {"deployment", app.deployment ? boost::json::value(app.deployment->row.state) : boost::json::value(nullptr)},
                    {"instances", std::move(instances)}});
  }
  array roles, sinks, webhooks;
  for (const auto& sink : node.sinks) sinks.push_back(summary_json(sink));
  for (const auto& webhook : node.webhooks) {
    object summary = webhook_json(webhook);
    for (const char* text : {"last_error", "dropped_at", "dropped_why"}) summary.erase(text);
    webhooks.push_back(std::move(summary));
  }
  for (const auto& role : node.trust.roles) {
    const auto expires = std::chrono::time_point_cast<std::chrono::nanoseconds>(role.expires);
    roles.push_back({{"role", role.role}, {"expires", logs::format_rfc3339(expires, 0)}});
  }
  return {{"node", node.node},
          {"environment", node.environment},
          {"version", node.version},
          {"since", node.since},
          {"ready", node.ready},
          {"drained", node.drained.has_value()},
          {"config_refused", node.config_refused.has_value()},
          {"limits_enforced", node.limits_enforced},
          {"repository", {{"failing", !node.trust.last_error.empty()}, {"last_success", node.trust.last_success}, {"roles", std::move(roles)}}},
          {"disk", disk_json(node)},
          {"sinks", std::move(sinks)},
          {"webhooks", std::move(webhooks)},
          {"apps", std::move(list)}};
}

object to_json(const ship::SinkStatus& sink) {
  const ship::ShippedCounts all = sink.all();
  return {{"sink", sink.name},
          {"kind", sink.kind},
          {"required", sink.required},
          {"state", sink.state},
          {"lag_seconds", seconds_json(sink.lag_seconds)},
          {"last_success", sink.last_success},
          {"failing_since", sink.failing_since},
          {"last_error", as_utf8(sink.last_error)},
          {"shipped", all.shipped},
          {"refused", all.refused},
          {"refused_at", sink.refused_at},
          {"refused_why", as_utf8(sink.refused_why)},
          {"limited", all.limited},
          {"lost", all.lost},
          {"retries", sink.retries}};
}

object to_json(const store::Event& event) {
  return {{"number", event.number}, {"at", event.at}, {"kind", event.kind}, {"app", event.app}, {"data", event.data}};
}

object events_json(const std::vector<store::Event>& events) {
  array list;
  for (const auto& event : events) list.push_back(to_json(event));
  return {{"events", std::move(list)}};
}

}  // namespace berth::api
