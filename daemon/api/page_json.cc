#include <string_view>

#include "core/ids.h"
#include "daemon/api/to_json.h"

namespace berth::api {
namespace {

using boost::json::array;
using boost::json::object;
using boost::json::value;

constexpr const char* kOfDeployment[] = {"id", "release", "kind", "state", "from", "decided", "created_at", "ended_at", "bake_until", "exit", "progress", "steps"};

/// Without reasons, people, and what apps and hooks printed.
value deployment_json(const std::optional<deploy::DeploymentStatus>& deployment) {
  if (!deployment) return nullptr;
  const object whole = to_json(*deployment);
  object shown;
  for (const char* key : kOfDeployment) shown[key] = whole.at(key);
  return shown;
}

object probes_json(const supervise::InstanceStatus& status) {
  object probes;
  for (const auto& [name, count] : status.probes) probes[name] = {{"asked", count.asked}, {"failed", count.failed}, {"seconds", count.took.count()}};
  return probes;
}

array releases_json(const deploy::AppStatus& app) {
  array releases;
  for (const auto& slot : app.slots)
    releases.push_back({{"release", slot.release}, {"sealed_at", slot.sealed_at}, {"bytes", slot.bytes}, {"pinned", slot.pinned}, {"drifted", slot.drifted > 0}});
  return releases;
}

void add_rest(object& shown, const deploy::AppStatus& app) {
  shown["since"] = app.since;
  shown["stopped"] = app.row.stopped;
  shown["strategy"] = app.strategy;
  shown["deployment"] = deployment_json(app.deployment);
  shown["last_deployment"] = deployment_json(app.last);
  shown["releases"] = releases_json(app);
  array rejected;
  for (const auto& one : app.rejected) rejected.emplace_back(one.release);
  shown["rejected"] = std::move(rejected);
  array jobs;
  for (const auto& job : app.jobs) jobs.push_back({{"process", job.row.process}, {"state", job.row.run == 0 ? std::string("never") : job.row.state}});
  shown["jobs"] = std::move(jobs);
  array& instances = shown.at("instances").as_array();
  for (std::size_t i = 0; i < instances.size(); ++i) {
    object& instance = instances[i].as_object();
    instance["started_at"] = app.instances[i].status.started_at;
    const auto& exit = app.instances[i].status.last_exit;
    instance["ended_at"] = exit && !exit->kind.empty() ? exit->at : std::string();
    instance["probes"] = probes_json(app.instances[i].status);
  }
}

/// Without the texts of why.
object follow_json(const follow::Status& follow) {
  return {{"app", follow.app}, {"channel", follow.channel}, {"wanted", follow.wanted}, {"failing_since", follow.failing_since}, {"stays", !follow.note.empty()}};
}

/// A word of ours: small letters, '-' and '_'.
bool is_word(std::string_view text) {
  return !text.empty() && text.size() <= 32 && text.find_first_not_of("abcdefghijklmnopqrstuvwxyz-_") == std::string_view::npos;
}

/// "web/web.1", or "web/web.1@v2".
bool is_instance(std::string_view text) {
  const auto named = parse_selector(text);
  return named && named->process && named->number;
}

std::string_view text_in(const object& data, std::string_view key) {
  const value* found = data.if_contains(key);
  return found != nullptr && found->is_string() ? std::string_view(found->get_string()) : std::string_view();
}

}  // namespace

object page_json(const metrics::NodeStatus& node, const std::vector<deploy::AppStatus>& apps, std::int64_t last_event) {
  object shown = summary_json(node, apps);
  shown["now"] = store::now_text();
  shown["last_event"] = last_event;
  array& list = shown.at("apps").as_array();
  for (std::size_t i = 0; i < apps.size(); ++i) add_rest(list[i].as_object(), apps[i]);
  array follows;
  for (const auto& one : node.follows) follows.push_back(follow_json(one));
  shown["follows"] = std::move(follows);
  return shown;
}

object page_json(const store::Event& event) {
  const std::string_view release = text_in(event.data, "release"), state = text_in(event.data, "state"), instance = text_in(event.data, "instance");
  return {{"number", event.number},
          {"at", event.at},
          {"kind", event.kind},
          {"app", event.app},
          {"release", is_release_id(release) ? release : std::string_view()},
          {"instance", is_instance(instance) ? instance : std::string_view()},
          {"state", is_word(state) ? state : std::string_view()}};
}

}  // namespace berth::api
