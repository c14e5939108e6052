#include "core/logs/record_time.h"
#include "daemon/metrics/families.h"

namespace berth::metrics {
namespace {

/// A value for each sink; as many as berthd.toml has.
template <class Value>
Family each_sink(const Snapshot& snapshot, Family family, Value value) {
  for (const ship::SinkStatus& sink : snapshot.node.sinks) family.add({{"sink", sink.name}}, static_cast<double>(value(sink)));
  return family;
}

Family shipped(const Snapshot& snapshot) {
  auto family = Family::counter("berth_log_shipped_total", "Entries that a sink has acknowledged since berthd began; without an app: events and its own log.");
  for (const ship::SinkStatus& sink : snapshot.node.sinks)
    for (const auto& [app, counts] : sink.apps) family.add({{"sink", sink.name}, {"app", app}}, static_cast<double>(counts.shipped));
  return family;
}

Family dropped(const Snapshot& snapshot) {
  auto family = Family::counter("berth_log_dropped_total",
                                "Entries that a sink will not get: lines removed before they were shipped, or torn (lost), refused by it, or over the rate limit.");
  for (const ship::SinkStatus& sink : snapshot.node.sinks) {
    for (const auto& [app, counts] : sink.apps) {
      const std::pair<const char*, std::uint64_t> reasons[] = {{"lost", counts.lost}, {"refused", counts.refused}, {"rate_limit", counts.limited}};
      for (const auto& [reason, count] : reasons) family.add({{"sink", sink.name}, {"app", app}, {"reason", reason}}, static_cast<double>(count));
    }
  }
  return family;
}

Family last_taken(const Snapshot& snapshot) {
  auto family = Family::gauge("berth_log_last_success_timestamp_seconds", "When a sink last took a batch, in seconds since 1970.");
  for (const ship::SinkStatus& sink : snapshot.node.sinks)
    if (const auto at = logs::parse_rfc3339(sink.last_success))
      family.add({{"sink", sink.name}}, std::chrono::duration<double>(at->time_since_epoch()).count());
  return family;
}

}  // namespace

std::vector<Family> sink_families(const Snapshot& snapshot) {
  using ship::SinkStatus;
  std::vector<Family> families;
  families.push_back(shipped(snapshot));
  families.push_back(dropped(snapshot));
  families.push_back(last_taken(snapshot));
  families.push_back(each_sink(snapshot, Family::gauge("berth_log_lag_seconds", "How old the oldest entry is that a sink has not taken yet; 0: there is none."),
                               [](const SinkStatus& sink) { return sink.lag_seconds; }));
  families.push_back(each_sink(snapshot, Family::gauge("berth_log_sink_failing", "Whether a sink did not take the last batch, which is sent again, or does not get a log that cannot be read."),
                               [](const SinkStatus& sink) { return sink.failing_since.empty() ? 0 : 1; }));
  families.push_back(each_sink(snapshot, Family::counter("berth_log_batches_total", "Batches that a sink has taken since berthd began."),
                               [](const SinkStatus& sink) { return sink.batches; }));
  families.push_back(each_sink(snapshot, Family::counter("berth_log_retries_total", "Times that a batch was sent again since berthd began."),
                               [](const SinkStatus& sink) { return sink.retries; }));
  families.push_back(each_sink(snapshot, Family::counter("berth_log_cursor_resets_total", "Times since berthd began that it was not known how far a sink was, and all was shipped again."),
                               [](const SinkStatus& sink) { return sink.resets; }));
  return families;
}

}  // namespace berth::metrics
