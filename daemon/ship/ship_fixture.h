#pragma once

#include <deque>
#include <map>
#include <string>
#include <vector>

#include "core/io/loop.h"
#include "core/logs/log_fixture.h"
#include "daemon/ship/gatherer.h"

namespace berth::ship {

/// A node's logs, and what a sink was given of them.
class ShipFixture : public logs::LogFixture {
 protected:
  void SetUp() override {
    LogFixture::SetUp();
    state = root / "state";
    logs_root = root / "logs";
    std::filesystem::create_directories(state);
  }

  void write(const std::string& instance, std::uint64_t first, const std::string& bytes) { append("logs/" + instance, first, bytes); }
  /// The keeper's oldest segment goes.
  void prune(const std::string& instance, std::uint64_t first) { std::filesystem::remove(logs_root / instance / segment_name(first)); }

  /// Numbered lines from `from` to `to`.
  static std::string numbered(int from, int to) {
    std::string bytes;
    for (int i = from; i <= to; ++i) bytes += cri(i, fmt::format("line {}", i));
    return bytes;
  }

  GathererParts parts() {
    return {.names = {.node = "edge-1", .environment = "qa", .labels = {{"rack", "r7"}}},
            .wanted = wanted,
            .limits = limits,
            .file = CursorFile(state, "agent"),
            .events = [this](std::int64_t from, int most) -> Result<std::vector<store::Event>> {
              std::vector<store::Event> found;
              for (const auto& event : events)
                if (event.number >= from && static_cast<int>(found.size()) < most) found.push_back(event);
              return found;
            },
            .daemon_log = daemon_log};
  }

  /// What a scan sees now.
  Scan scan() {
    LogScanner scanner(logs_root);
    return {.logs = scanner.look(), .event = events.empty() ? 0 : events.back().number, .daemon_line = daemon_log->last()};
  }

  void add_event(const std::string& kind, const std::string& app) {
    events.push_back({.number = static_cast<std::int64_t>(events.size()) + 1, .at = "2026-11-24T09:00:00Z", .kind = kind, .app = app, .data = {{"a", 1}}});
  }

  static std::vector<std::string> texts_of(const std::vector<Entry>& entries) {
    std::vector<std::string> all;
    for (const Entry& entry : entries) all.push_back(entry.text);
    return all;
  }

  std::filesystem::path state, logs_root;
  Wanted wanted;
  BatchLimits limits{.entries = 1000, .bytes = 1u << 20};
  std::vector<store::Event> events;
  std::shared_ptr<DaemonLog> daemon_log = std::make_shared<DaemonLog>();
};

}  // namespace berth::ship
