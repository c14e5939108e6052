#include "daemon/deploy/troubles.h"

#include <algorithm>
#include <string_view>

#include "core/ids.h"
#include "core/logs/record_time.h"

namespace berth::deploy {
namespace {

constexpr std::size_t kMost = 1024;  ///< entries of a record: an app that does more of it in a bake is beyond comparing
constexpr std::array<Trouble, kTroubles> kAll{Trouble::ended, Trouble::oom, Trouble::liveness, Trouble::unready};
constexpr std::string_view kCrashLoop = "crash_loop", kState = "state", kCounts = "counts", kLastExits = "last_exits";

std::string text_in_event(const store::Event& event, std::string_view name) {
  const auto* member = event.data.if_contains(name);
  return member != nullptr && member->is_string() ? std::string(member->get_string()) : std::string();
}

}  // namespace

std::string_view to_string(Trouble kind) {
  switch (kind) {
    case Trouble::ended: return "ended";
    case Trouble::oom: return "oom";
    case Trouble::liveness: return "liveness";
    case Trouble::unready: return "unready";
  }
  return {};
}

std::string_view said_of(Trouble kind) {
  switch (kind) {
    case Trouble::ended: return "ended";
    case Trouble::oom: return "were killed for their memory";
    case Trouble::liveness: return "failed their liveness probes";
    case Trouble::unready: return "were no longer ready";
  }
  return {};
}

Trouble trouble_of(const supervise::Exit& exit) {
  if (exit.kind == "oom") return Trouble::oom;
  return exit.kind == "liveness" ? Trouble::liveness : Trouble::ended;
}

bool TroubleCounts::any() const {
  return std::ranges::any_of(times, [](int count) { return count > 0; });
}

boost::json::object to_json(const TroubleCounts& counts) {
  boost::json::object out;
  for (const Trouble kind : kAll)
    if (counts.of(kind) > 0) out[to_string(kind)] = counts.of(kind);
  if (counts.crash_loop) out[kCrashLoop] = true;
  return out;
}

TroubleCounts counts_in(const boost::json::object& from) {
  TroubleCounts counts;
  for (const Trouble kind : kAll)
    if (const auto* count = from.if_contains(to_string(kind)); count != nullptr && count->is_int64()) counts.of(kind) = static_cast<int>(count->get_int64());
  const auto* loop = from.if_contains(kCrashLoop);
  counts.crash_loop = loop != nullptr && loop->is_bool() && loop->get_bool();
  return counts;
}

std::optional<Trouble> trouble_told(const store::Event& event, const std::string& release, std::chrono::system_clock::time_point since) {
  const std::string cause = text_in_event(event, "cause"), exited_at = text_in_event(event, "exited_at");
  const bool ended = event.kind == "instance.exit" && !cause.empty();  // else it was to end
  if (!ended && event.kind != "instance.unready") return std::nullopt;
  const auto at = logs::parse_rfc3339(exited_at.empty() ? event.at : exited_at);
  const auto whose = parse_selector(text_in_event(event, "instance"));
  if (!at || *at < since || !whose || whose->release != release) return std::nullopt;
  return ended ? trouble_of({.reason = {}, .at = {}, .kind = cause}) : Trouble::unready;
}

void TroubleRecord::add(Trouble kind, std::string release, bool crash_loop, Moment at) {
  entries_.push_back({kind, std::move(release), crash_loop, at});
  if (entries_.size() > kMost) entries_.pop_front();
}

TroubleCounts TroubleRecord::since(const std::string& release, Moment from) const {
  TroubleCounts counts;
  for (const Entry& entry : entries_) {
    if (entry.release != release || entry.at < from) continue;
    ++counts.of(entry.kind);
    counts.crash_loop = counts.crash_loop || entry.crash_loop;
  }
  return counts;
}

boost::json::object to_json(const BakeTroubles& troubles) {
  boost::json::object last;
  for (const auto& [instance, at] : troubles.last_exits) last[instance] = at;
  return {{kState, troubles.state}, {kCounts, to_json(troubles.counts)}, {kLastExits, std::move(last)}};
}

BakeTroubles bake_troubles_in(const boost::json::object& from) {
  BakeTroubles troubles;
  if (const auto* state = from.if_contains(kState); state != nullptr && state->is_string()) troubles.state = state->get_string();
  if (const auto* counts = from.if_contains(kCounts); counts != nullptr && counts->is_object()) troubles.counts = counts_in(counts->get_object());
  const auto* last = from.if_contains(kLastExits);
  if (last == nullptr || !last->is_object()) return troubles;
  for (const auto& member : last->get_object())
    if (member.value().is_string()) troubles.last_exits[std::string(member.key())] = member.value().get_string();
  return troubles;
}

int allowed_times(int before, int instances, int instances_before) {
  if (instances_before <= 0 || instances >= instances_before) return before;
  return (before * std::max(instances, 0) + instances_before - 1) / instances_before;
}

}  // namespace berth::deploy
