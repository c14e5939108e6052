#include "core/logs/record_time.h"
#include "daemon/metrics/families.h"
#include "daemon/supervise/exit_text.h"

namespace berth::metrics {
namespace {

/// Not `instance`, which Prometheus gives to the node that it scrapes.
Family::Labels labels_of(const deploy::InstanceView& view) {
  const InstanceId& id = view.status.id;
  return {{"app", id.app}, {"process", id.process}, {"number", std::to_string(id.number)}, {"release", id.release}};
}

template <class Visit>
void each_instance(const Snapshot& snapshot, Visit visit) {
  for (const auto& app : snapshot.apps)
    for (const auto& instance : app.instances) visit(instance);
}

template <class Value>
Family gauge(const Snapshot& snapshot, std::string name, std::string help, Value value) {
  auto family = Family::gauge(std::move(name), std::move(help));
  each_instance(snapshot, [&](const deploy::InstanceView& view) { family.add(labels_of(view), value(view) ? 1 : 0); });
  return family;
}

Family restarts(const Snapshot& snapshot) {
  auto family = Family::counter("berth_instance_restarts_total", "How often an instance was started again since its keeper began.");
  each_instance(snapshot, [&](const deploy::InstanceView& view) { family.add(labels_of(view), static_cast<double>(view.status.restarts)); });
  return family;
}

/// Of every reason, so that the first exit is an increase.
Family exits(const Snapshot& snapshot) {
  auto family = Family::counter("berth_instance_exits_total", "How often an instance's process ended by itself or was ended for trouble, by why.");
  each_instance(snapshot, [&](const deploy::InstanceView& view) {
    const auto& happened = view.status.exits_by_reason;
    for (const std::string_view reason : supervise::kExitReasons) {
      auto labels = labels_of(view);
      labels.push_back({"reason", std::string(reason)});
      const auto count = happened.find(labels.back().value);
      family.add(std::move(labels), count == happened.end() ? 0 : static_cast<double>(count->second));
    }
  });
  return family;
}

/// A counter with a value for each probe that berthd asks, and `add` gives it its samples.
template <class Add>
Family each_probe(const Snapshot& snapshot, std::string name, std::string help, Add add) {
  auto family = Family::counter(std::move(name), std::move(help));
  each_instance(snapshot, [&](const deploy::InstanceView& view) {
    for (const auto& [probe, count] : view.status.probes) {
      auto labels = labels_of(view);
      labels.push_back({"probe", probe});
      add(family, std::move(labels), count);
    }
  });
  return family;
}

Family log_lines(const Snapshot& snapshot) {
  auto family = Family::counter("berth_instance_log_lines_total", "Lines of an instance that its keeper wrote to its log since the keeper began.");
  each_instance(snapshot, [&](const deploy::InstanceView& view) { family.add(labels_of(view), static_cast<double>(view.status.log_lines)); });
  return family;
}

Family log_dropped(const Snapshot& snapshot) {
  auto family = Family::counter("berth_instance_log_dropped_lines_total", "Lines of an instance that no disk took since its keeper began.");
  each_instance(snapshot, [&](const deploy::InstanceView& view) { family.add(labels_of(view), static_cast<double>(view.status.log_dropped)); });
  return family;
}

/// Of instances that have any.
Family limits(const Snapshot& snapshot) {
  auto family = Family::gauge("berth_instance_limits_enforced", "Whether the kernel enforces every limit that the spec says of the instance.");
  each_instance(snapshot, [&](const deploy::InstanceView& view) {
    if (view.status.has_limits) family.add(labels_of(view), view.status.unenforced.empty() ? 1 : 0);
  });
  return family;
}

Family starts(const Snapshot& snapshot) {
  auto family = Family::gauge("berth_instance_start_time_seconds", "When an instance's present process was started, in seconds since 1970.");
  each_instance(snapshot, [&](const deploy::InstanceView& view) {
    const auto at = logs::parse_rfc3339(view.status.started_at);
    if (at && view.status.pid > 0) family.add(labels_of(view), std::chrono::duration<double>(at->time_since_epoch()).count());
  });
  return family;
}

/// One value of the usage of each instance that runs and for which there is one.
template <class Value>
Family used(const Snapshot& snapshot, Family family, Value value) {
  each_instance(snapshot, [&](const deploy::InstanceView& view) {
    const auto usage = snapshot.usage.find(view.status.id);
    if (usage == snapshot.usage.end()) return;
    if (const std::optional<double> number = value(usage->second)) family.add(labels_of(view), *number);
  });
  return family;
}

}  // namespace

std::vector<Family> instance_state_families(const Snapshot& snapshot) {
  using deploy::InstanceView;
  std::vector<Family> families;
  families.push_back(gauge(snapshot, "berth_instance_up", "Whether a process of the instance runs.",
                           [](const InstanceView& view) { return view.status.pid > 0; }));
  families.push_back(gauge(snapshot, "berth_instance_ready", "Whether the instance is ready, as its probes tell.",
                           [](const InstanceView& view) { return view.status.ready; }));
  families.push_back(gauge(snapshot, "berth_instance_serving", "Whether the public port leads to the instance.",
                           [](const InstanceView& view) { return view.serving; }));
  families.push_back(gauge(snapshot, "berth_instance_crash_looping", "Whether the instance keeps ending: five exits within a minute, none up for 10 s.",
                           [](const InstanceView& view) { return view.status.crash_loop; }));
  families.push_back(restarts(snapshot));
  families.push_back(starts(snapshot));
  families.push_back(limits(snapshot));
  return families;
}

std::vector<Family> instance_exit_families(const Snapshot& snapshot) {
  std::vector<Family> families;
  families.push_back(exits(snapshot));
  return families;
}

std::vector<Family> instance_probe_families(const Snapshot& snapshot) {
  std::vector<Family> families;
  families.push_back(each_probe(snapshot, "berth_instance_probes_total", "How often berthd asked a probe of an instance, by what it found: passed or failed.",
                                [](Family& family, Family::Labels labels, const supervise::ProbeCount& count) {
                                  labels.push_back({"result", "passed"});
                                  family.add(labels, static_cast<double>(count.asked - count.failed));
                                  labels.back().value = "failed";
                                  family.add(std::move(labels), static_cast<double>(count.failed));
                                }));
  families.push_back(each_probe(snapshot, "berth_instance_probe_seconds_total", "How long berthd waited for the answers of a probe of an instance.",
                                [](Family& family, Family::Labels labels, const supervise::ProbeCount& count) { family.add(std::move(labels), count.took.count()); }));
  families.push_back(log_lines(snapshot));
  families.push_back(log_dropped(snapshot));
  return families;
}

std::vector<Family> instance_usage_families(const Snapshot& snapshot) {
  std::vector<Family> families;
  families.push_back(used(snapshot, Family::counter("berth_instance_cpu_seconds_total", "CPU time, user and system, that an instance used."),
                          [](const InstanceUsage& usage) { return usage.cpu_seconds; }));
  families.push_back(used(snapshot, Family::gauge("berth_instance_resident_memory_bytes", "Anonymous memory and mapped files of an instance that are in RAM."),
                          [](const InstanceUsage& usage) { return static_cast<double>(usage.resident_bytes); }));
  families.push_back(used(snapshot, Family::gauge("berth_instance_memory_limit_bytes", "The memory an instance may take, where the kernel enforces a limit."),
                          [](const InstanceUsage& usage) { return usage.memory_limit; }));
  families.push_back(used(snapshot, Family::gauge("berth_instance_processes", "Processes of an instance."),
                          [](const InstanceUsage& usage) { return static_cast<double>(usage.processes); }));
  families.push_back(used(snapshot, Family::gauge("berth_instance_open_fds", "Descriptors that the main process of an instance has open."),
                          [](const InstanceUsage& usage) { return static_cast<double>(usage.open_fds); }));
  families.push_back(used(snapshot, Family::counter("berth_instance_read_bytes_total", "Bytes that an instance read from disks."),
                          [](const InstanceUsage& usage) { return usage.read_bytes; }));
  families.push_back(used(snapshot, Family::counter("berth_instance_written_bytes_total", "Bytes that an instance wrote to disks."),
                          [](const InstanceUsage& usage) { return usage.written_bytes; }));
  families.push_back(used(snapshot, Family::counter("berth_instance_oom_kills_total", "Processes of an instance that the kernel killed at its memory limit."),
                          [](const InstanceUsage& usage) { return usage.oom_kills; }));
  return families;
}

}  // namespace berth::metrics
