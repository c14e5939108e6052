#include <chrono>

#include "core/logs/record_time.h"
#include "core/utf8.h"
#include "daemon/api/to_json.h"

namespace berth::api {
namespace {

std::string moment(std::int64_t milliseconds_since_1970) {
  if (milliseconds_since_1970 == 0) return {};
  return logs::format_rfc3339(logs::Time(std::chrono::milliseconds(milliseconds_since_1970)));
}

}  // namespace

boost::json::object to_json(const deploy::DeploymentStatus& deployment) {
  const store::DeploymentRow& row = deployment.row;
  boost::json::array steps, lines, hooks, notes;
  for (const auto& step : deployment.steps) steps.push_back({{"state", step.state}, {"at", step.at}});
  for (const std::string& line : deployment.last_lines) lines.emplace_back(as_utf8(line));
  for (const deploy::HookRun& one : deployment.hooks) {
    hooks.push_back({{"hook", one.hook}, {"release", one.release}, {"began_at", one.began_at}, {"ended_at", one.ended_at}, {"result", as_utf8(one.result)},
                     {"attempts", one.attempts}});
  }
  for (const std::string& note : deployment.notes) notes.emplace_back(as_utf8(note));
  return {{"id", row.id},
          {"app", row.app},
          {"release", row.release},
          {"kind", row.kind},
          {"state", row.state},
          {"reason", as_utf8(row.reason)},
          {"from", row.from},
          {"decided", row.decided},
          {"by", as_utf8(row.by)},
          {"why", as_utf8(row.why)},
          {"force", row.force},
          {"rejected", deployment.rejected},
          {"stopped", deployment.stopped},
          {"created_at", row.created_at},
          {"ended_at", row.ended_at},
          {"bake_until", moment(row.bake_until_ms)},
          {"exit", deployment.exit},
          {"already", deployment.already},
          {"progress",
           {{"bytes_done", deployment.bytes_done},
            {"bytes_total", deployment.bytes_total},
            {"instances_ready", deployment.instances_ready},
            {"instances_wanted", deployment.instances_wanted}}},
          {"steps", std::move(steps)},
          {"last_lines", std::move(lines)},
          {"hooks", std::move(hooks)},
          {"notes", std::move(notes)}};
}

boost::json::object deployments_json(const std::vector<deploy::DeploymentStatus>& deployments, std::optional<std::int64_t> next) {
  boost::json::array list;
  for (const auto& deployment : deployments) list.push_back(to_json(deployment));
  return {{"deployments", std::move(list)}, {"next", next ? boost::json::value(*next) : boost::json::value(nullptr)}};
}

}  // namespace berth::api
