#include "daemon/conditions.h"

#include <algorithm>
#include <utility>

#include <fmt/core.h>
#include <spdlog/spdlog.h>

#include "core/io/loop.h"
#include "core/trust/time.h"
#include "daemon/live_node.h"

namespace berth {
namespace {

using journal::Message;

constexpr std::chrono::hours kSoonForOnline{24}, kSoonForOffline{14 * 24};
constexpr int kLooksUntilOver = 5;
constexpr std::chrono::minutes kBetweenConditions{1};

bool is_online(const std::string& role) { return role == "timestamp" || role == "snapshot"; }

void add_disk(std::vector<Condition>& all, const std::string& folder, std::uint64_t free, std::uint64_t reserve) {
  if (free >= reserve) return;
  all.push_back({Message::disk_low, folder, fmt::format("{} has {} MB left, less than the {} MB that are kept free", folder, free / 1'000'000, reserve / 1'000'000)});
}

bool is_same(const Condition& one, const Condition& other) { return one.message == other.message && one.subject == other.subject; }

}  // namespace

std::vector<Condition> conditions_of(const metrics::NodeStatus& node, std::chrono::system_clock::time_point now) {
  std::vector<Condition> all;
  add_disk(all, node.paths.state.string(), node.disk_free, node.disk_reserve);
  if (node.logs_disk) add_disk(all, node.paths.logs.string(), node.logs_disk->free, node.logs_disk->reserve);
  if (!node.events_intrusion.empty()) {
    const std::string log = node.paths.events().string();
    all.push_back({Message::events_changed, log, fmt::format("{}: {}", log, node.events_intrusion)});
  }
  for (const trust::RoleState& role : node.trust.roles) {
    const auto left = role.expires - now;
    const std::string at = trust::to_string(std::chrono::floor<std::chrono::seconds>(role.expires));
    if (left <= std::chrono::seconds(0)) all.push_back({Message::metadata_expired, role.role, fmt::format("{} {} of the repository expired at {}", role.role, role.version, at)});
    else if (left <= (is_online(role.role) ? kSoonForOnline : kSoonForOffline))
      all.push_back({Message::metadata_expires, role.role, fmt::format("{} {} of the repository expires at {}", role.role, role.version, at)});
  }
  return all;
}

void ConditionLog::look(const std::vector<Condition>& now) {
  for (Told& told : told_) {
    const bool goes_on = std::ranges::any_of(now, [&](const Condition& one) { return is_same(one, told.condition); });
    told.looks_without = goes_on ? 0 : told.looks_without + 1;
    if (told.looks_without == kLooksUntilOver) spdlog::info("no longer: {}", told.condition.text);
  }
  std::erase_if(told_, [](const Told& told) { return told.looks_without >= kLooksUntilOver; });
  for (const Condition& one : now) {
    if (std::ranges::any_of(told_, [&](const Told& told) { return is_same(one, told.condition); })) continue;
    journal::log(spdlog::level::warn, one.message, {.subject = one.subject, .reason = one.text}, one.text);
    told_.push_back({one});
  }
}

boost::asio::awaitable<void> watch_conditions(LiveNode* node) {
  ConditionLog log;
  for (;;) {
    const auto status = co_await node->status();
    const auto now = conditions_of(status, std::chrono::system_clock::now());
    log.look(now);
    co_await io::sleep_for(kBetweenConditions);
  }
}

}  // namespace berth
