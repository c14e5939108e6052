#include "core/logs/record_time.h"
#include "daemon/metrics/families.h"

namespace berth::metrics {
namespace {

/// A value for each webhook; as many as berthd.toml has.
template <class Value>
Family each_webhook(const Snapshot& snapshot, Family family, Value value) {
  for (const ship::SinkStatus& webhook : snapshot.node.webhooks) family.add({{"webhook", webhook.name}}, static_cast<double>(value(webhook)));
  return family;
}

Family last_delivery(const Snapshot& snapshot) {
  auto family = Family::gauge("berth_webhook_last_success_timestamp_seconds", "When a webhook's receiver last answered an event, in seconds since 1970.");
  for (const ship::SinkStatus& webhook : snapshot.node.webhooks)
    if (const auto at = logs::parse_rfc3339(webhook.last_success)) family.add({{"webhook", webhook.name}}, std::chrono::duration<double>(at->time_since_epoch()).count());
  return family;
}

}  // namespace

std::vector<Family> webhook_families(const Snapshot& snapshot) {
  using ship::SinkStatus;
  std::vector<Family> families;
  families.push_back(each_webhook(snapshot, Family::counter("berth_webhook_delivered_total", "Events that a webhook's receiver has taken since berthd began."),
                                  [](const SinkStatus& webhook) { return webhook.all().shipped; }));
  families.push_back(each_webhook(snapshot, Family::counter("berth_webhook_dropped_total", "Events that a webhook will not get since berthd began: refused for good, or kept for too long."),
                                  [](const SinkStatus& webhook) { return webhook.all().refused; }));
  families.push_back(each_webhook(snapshot, Family::counter("berth_webhook_retries_total", "Times that an event was sent to a webhook again since berthd began."),
                                  [](const SinkStatus& webhook) { return webhook.retries; }));
  families.push_back(each_webhook(snapshot, Family::gauge("berth_webhook_lag_seconds", "How old the oldest event is that a webhook has not taken yet; 0: there is none."),
                                  [](const SinkStatus& webhook) { return webhook.lag_seconds; }));
  families.push_back(each_webhook(snapshot, Family::gauge("berth_webhook_failing", "Whether a webhook did not take the last event, which is sent again."),
                                  [](const SinkStatus& webhook) { return webhook.failing_since.empty() ? 0 : 1; }));
  families.push_back(each_webhook(snapshot, Family::counter("berth_webhook_cursor_resets_total", "Times since berthd began that it was not known how far a webhook was, and all was sent again."),
                                  [](const SinkStatus& webhook) { return webhook.resets; }));
  families.push_back(last_delivery(snapshot));
  return families;
}

}  // namespace berth::metrics
