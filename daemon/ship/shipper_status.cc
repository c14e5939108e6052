#include <algorithm>
#include <string_view>

#include <fmt/core.h>
#include <spdlog/spdlog.h>

#include "daemon/journal/message.h"
#include "daemon/ship/shipper_state.h"

namespace berth::ship {
namespace {

constexpr std::size_t kMostRefusals = 16;    ///< different reasons for refusals that are told
constexpr int kRefusedInARow = 2;            ///< batches of which a sink takes nothing, until it counts as failing: one may be a line too long

logs::Time wall_clock() { return std::chrono::time_point_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now()); }

}  // namespace

SinkStatus Shipper::status() const {
  SinkStatus status = state_->shown;
  const Batch& batch = state_->batch;
  auto oldest = batch.oldest();
  if (const auto& ahead = state_->ahead)
    if (const auto next = ahead->oldest()) oldest = std::min(oldest.value_or(*next), *next);
  const auto since = oldest && batch.behind ? std::min(*oldest, *batch.behind) : oldest ? oldest : batch.behind;
  if (!since && state_->gave_up) status.failing_since.clear();  // it has nothing that it could fail to take
  if (since) status.lag_seconds = std::max(0.0, std::chrono::duration<double>(wall_clock() - *since).count());
  status.state = !status.failing_since.empty() ? "failing" : since ? "shipping" : "up to date";
  if (!state_->unreadable.empty()) state_->show_unreadable(status);
  return status;
}

/// What cannot be read is not delivered either: it counts as old as the trouble is.
void Shipper::State::show_unreadable(SinkStatus& status) const {
  status.lag_seconds = std::max(status.lag_seconds, std::chrono::duration<double>(wall_clock() - unreadable_since).count());
  if (!status.failing_since.empty()) return;
  status.state = "unreadable";
  status.failing_since = logs::format_rfc3339(unreadable_since);
  const auto& [instance, why] = *unreadable.begin();
  status.last_error = fmt::format("the log of {} cannot be read: {}", instance, why);
  if (unreadable.size() > 1) status.last_error += fmt::format(" (and {} more)", unreadable.size() - 1);
}

/// Says what cannot be read when that changes.
void Shipper::State::note_unreadable() {
  for (const auto& [instance, why] : batch.unreadable)
    if (const auto known = unreadable.find(instance); known == unreadable.end() || known->second != why)
      spdlog::error("{}: the log of {} cannot be read, and waits: {}", title, instance, why);
  for (const auto& [instance, why] : unreadable)
    if (!batch.unreadable.contains(instance)) spdlog::info("{}: the log of {} can be read again, or is gone", title, instance);
  if (unreadable.empty()) unreadable_since = wall_clock();
  unreadable = batch.unreadable;
}

/// Each app that the sink wants is counted from the beginning, also while it takes nothing: what appears with its value is no increase to Prometheus.
void Shipper::State::note_apps() {
  const Wanted& wanted = parts.gatherer.wanted;
  std::set<std::string_view> there;
  for (const LogState& state : scan->logs)
    if (wanted.wants_app(state.log.id.app)) there.insert(state.log.id.app);
  if (wanted.events || wanted.daemon) there.insert("");
  std::erase_if(shown.apps, [&](const auto& one) { return one.second == ShippedCounts{} && !there.contains(one.first); });
  for (const std::string_view app : there) shown.apps.try_emplace(std::string(app));
}

void Shipper::State::note_failure(const std::string& why, const char* then) {
  if (shown.failing_since.empty() || shown.last_error != why)
    journal::log(spdlog::level::warn, journal::Message::sink_failing, {.subject = title, .reason = why}, fmt::format("{}: {}; {}", title, why, then));
  if (shown.failing_since.empty()) shown.failing_since = store::now_text();
  shown.last_error = why;
}

void Shipper::State::note_success(const Delivery& delivery) {
  gave_up = delivery.untried;
  const bool has_taken = !delivery.untried && delivery.refused < batch.entries.size();
  if (has_taken) {
    refused_in_a_row = 0;
    if (!shown.failing_since.empty()) {
      spdlog::info("{}: takes {} again", title, parts.words.entries);
      shown.failing_since.clear();
      shown.last_error.clear();
    }
    shown.last_success = store::now_text();
  } else if (!delivery.untried && ++refused_in_a_row >= kRefusedInARow) {
    note_failure(fmt::format("it refuses all {} for good: {}", parts.words.entries, delivery.reason), "they are not sent again");
  }
  ++shown.batches;
  // Which ones were refused the sink does not say: they are put down to the apps by their share.
  std::uint64_t refused = std::min<std::uint64_t>(delivery.refused, batch.entries.size());
  std::uint64_t entries = batch.entries.size();
  for (const auto& [app, count] : batch.by_app) {
    const std::uint64_t share = entries == count ? refused : refused * count / entries;
    refused -= share;
    entries -= count;
    shown.apps[app].refused += share;
    shown.apps[app].shipped += count - share;
  }
  if (delivery.refused == 0) return;
  shown.refused_at = store::now_text();
  shown.refused_why = delivery.reason;
  if (delivery.untried && !shown.failing_since.empty()) shown.refused_why += fmt::format(" ({})", shown.last_error);
  if (shown.failing_since.empty() || (!delivery.untried && refused_in_a_row < kRefusedInARow))
    shown.last_error = delivery.refused == 1 ? fmt::format("1 {} was refused: {}", parts.words.entry, delivery.reason)
                                             : fmt::format("{} {} were refused: {}", delivery.refused, parts.words.entries, delivery.reason);
  if (refusals.size() < kMostRefusals && refusals.insert(delivery.reason).second)
    spdlog::warn("{}: refuses {} for good, which are not sent again: {}", title, parts.words.entries, delivery.reason);
}

}  // namespace berth::ship
