#include <chrono>
#include <string>
#include <vector>

#include "core/logs/record_time.h"
#include "daemon/metrics/families.h"

namespace berth::metrics {
namespace {

Family one(Family family, double value, const Family::Labels& labels = {}) {
  family.add(labels, value);
  return family;
}

Family trust_expiry(const NodeStatus& node) {
  auto family = Family::gauge("berth_trust_expiry_timestamp_seconds", "When the repository's metadata of a role expires, in seconds since 1970.");
  for (const auto& role : node.trust.roles)
    family.add({{"role", role.role}}, std::chrono::duration<double>(role.expires.time_since_epoch()).count());
  return family;
}

Family last_success(const NodeStatus& node) {
  auto family = Family::gauge("berth_repository_last_success_timestamp_seconds", "When the repository was last read whole, in seconds since 1970.");
  if (const auto at = logs::parse_rfc3339(node.trust.last_success)) family.add({}, std::chrono::duration<double>(at->time_since_epoch()).count());
  return family;
}

/// Of every rule, so that the first refusal is an increase.
Family refusals(const NodeStatus& node) {
  auto family = Family::counter("berth_trust_refusals_total",
                                "What a repository said and berthd refused since it began, by the rule that was broken: signature, expiry, rollback, version, hash, length, "
                                "content; requirement where it is for a newer berth or another machine, missing where it is not there.");
  if (node.repository.empty()) return family;
  for (const std::string_view rule : fetch::kRefusalRules) {
    const auto found = node.trust.refusals.find(std::string(rule));
    family.add({{"rule", std::string(rule)}}, found == node.trust.refusals.end() ? 0 : static_cast<double>(found->second));
  }
  return family;
}

Family disk_free(const NodeStatus& node) {
  auto family = Family::gauge("berth_disk_free_bytes", "Room on the disk of berthd's state (disk: state) and, where it is another one, on that of the logs (disk: logs).");
  family.add({{"disk", "state"}}, static_cast<double>(node.disk_free));
  if (node.logs_disk) family.add({{"disk", "logs"}}, static_cast<double>(node.logs_disk->free));
  return family;
}

Family disk_reserve(const NodeStatus& node) {
  auto family = Family::gauge("berth_disk_reserve_bytes", "Room that no release may take (disk: state), and below which the disk of the logs is all but full (disk: logs).");
  family.add({{"disk", "state"}}, static_cast<double>(node.disk_reserve));
  if (node.logs_disk) family.add({{"disk", "logs"}}, static_cast<double>(node.logs_disk->reserve));
  return family;
}

/// How long the lists of revoked certificates last by which a listener goes; `who` is what people call that.
void add_crl(std::vector<Family>& families, const NodeStatus::Listener& listener, const std::string& who, const std::string& expiry, const std::string& ending) {
  if (!listener.crl_ends) return;
  families.push_back(one(Family::gauge(expiry, "When the list of revoked certificates ends that " + who +
                                               " goes by (nextUpdate; of several the first), in seconds since 1970: then clients are refused."),
                         std::chrono::duration<double>(listener.crl_ends->time_since_epoch()).count()));
  families.push_back(one(Family::gauge(ending, "Whether the list of revoked certificates that " + who + " goes by has less than a fifth of its time left, and less than a week."),
                         listener.crl_is_ending));
}

void add_metrics_listener(std::vector<Family>& families, const NodeStatus& node) {
  if (!node.metrics_listener) return;
  if (const auto at = node.metrics_listener->certificate_ends) {
    families.push_back(one(Family::gauge("berth_metrics_certificate_ending", "Whether that certificate has less than a fifth of its time left, and less than a week."), node.metrics_listener->is_ending));
    families.push_back(one(Family::gauge("berth_metrics_certificate_expiry_timestamp_seconds", "When the certificate ends that the metrics listener shows, in seconds since 1970."),
                           std::chrono::duration<double>(at->time_since_epoch()).count()));
  }
  add_crl(families, *node.metrics_listener, "the metrics listener", "berth_metrics_crl_expiry_timestamp_seconds", "berth_metrics_crl_ending");
  families.push_back(one(Family::gauge("berth_metrics_failing",
                                       "Whether the metrics listener is not there, the files of its certificate or its token are wrong, or its list of revoked certificates does not count."),
                         !node.metrics_listener->problem.empty()));
}

void add_remote_api(std::vector<Family>& families, const NodeStatus& node) {
  if (!node.remote_api) return;
  auto ends = Family::gauge("berth_api_certificate_expiry_timestamp_seconds", "When the certificate ends that the control API shows to its clients, in seconds since 1970.");
  if (const auto at = node.remote_api->certificate_ends) ends.add({}, std::chrono::duration<double>(at->time_since_epoch()).count());
  families.push_back(std::move(ends));
  families.push_back(one(Family::gauge("berth_api_certificate_ending", "Whether that certificate has less than a fifth of its time left, and less than a week."), node.remote_api->is_ending));
  add_crl(families, *node.remote_api, "the control API", "berth_api_crl_expiry_timestamp_seconds", "berth_api_crl_ending");
  families.push_back(one(Family::gauge("berth_api_failing",
                                       "Whether the control API has no listener for its clients, the files of its certificates are wrong, or its list of revoked certificates does not count."),
                         !node.remote_api->problem.empty()));
}

void add_node(std::vector<Family>& families, const Snapshot& snapshot) {
  const NodeStatus& node = snapshot.node;
  families.push_back(one(Family::gauge("berth_build_info", "The version of berthd that runs."), 1, {{"version", node.version}}));
  families.push_back(one(Family::gauge("berth_node_info", "What this node is called, and its environment."), 1,
                         {{"node", node.node}, {"environment", node.environment}}));
  families.push_back(one(Family::gauge("berth_ready", "Whether berthd has taken over or started what should run here."), node.ready));
  families.push_back(one(Family::gauge("berth_node_drained", "Whether the node is drained: no app runs, and no deployment is taken."), node.drained.has_value()));
  families.push_back(one(Family::gauge("berth_config_reload_failed", "Whether berthd.toml was wrong at the last reload, so that the configuration before it counts still."),
                         node.config_refused.has_value()));
  add_remote_api(families, node);
  add_metrics_listener(families, node);
  families.push_back(one(Family::gauge("berth_limits_enforced", "Whether limits of memory and processes are enforced on this node."), node.limits_enforced));
  families.push_back(disk_free(node));
  families.push_back(disk_reserve(node));
  families.push_back(one(Family::counter("berth_api_slow_readers_total", "Clients that were dropped since berthd began, since they read events or logs as they come and took nothing for too long."),
                         static_cast<double>(snapshot.slow_readers)));
  families.push_back(one(Family::counter("berth_events_total", "Events in the log of this node, over restarts."), static_cast<double>(snapshot.events)));
  families.push_back(one(Family::gauge("berth_events_damaged", "Whether the log of events had been edited, shortened or removed when this berthd began, or somebody else wrote it since."), snapshot.events_damaged));
  families.push_back(one(Family::gauge("berth_loop_lag_seconds", "The longest that berthd's event loop was busy at once within the last minute."),
                         std::chrono::duration<double>(snapshot.loop_lag).count()));
  families.push_back(trust_expiry(node));
  families.push_back(last_success(node));
  families.push_back(refusals(node));
  if (!node.repository.empty())
    families.push_back(one(Family::gauge("berth_repository_failing", "Whether the repository could not be read or believed when it was last asked."),
                           !node.trust.last_error.empty()));
}

/// The names that every client library of Prometheus gives these.
void add_process(std::vector<Family>& families, const ProcessUsage& usage) {
  families.push_back(one(Family::counter("process_cpu_seconds_total", "User and system CPU time that berthd took."), usage.cpu_seconds));
  families.push_back(one(Family::gauge("process_start_time_seconds", "When berthd was started, in seconds since 1970."), usage.start_seconds));
  families.push_back(one(Family::gauge("process_resident_memory_bytes", "Resident memory of berthd."), static_cast<double>(usage.resident_bytes)));
  families.push_back(one(Family::gauge("process_virtual_memory_bytes", "Virtual memory of berthd."), static_cast<double>(usage.virtual_bytes)));
  families.push_back(one(Family::gauge("process_open_fds", "Descriptors that berthd has open."), static_cast<double>(usage.open_fds)));
  families.push_back(one(Family::gauge("process_max_fds", "Descriptors that berthd may have open."), static_cast<double>(usage.max_fds)));
}

}  // namespace

std::vector<Family> node_families(const Snapshot& snapshot) {
  std::vector<Family> families;
  add_node(families, snapshot);
  add_process(families, snapshot.process);
  return families;
}

}  // namespace berth::metrics
