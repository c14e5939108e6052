#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/logs/instance_cursor.h"
#include "core/result.h"

namespace berth::ship {

/// Lines of an instance that are lost to a sink, and were told to be; both included. 0: none.
struct ToldLoss {
  std::uint64_t first = 0, last = 0;

  /// How many of those from one to the other are.
  std::uint64_t of(std::uint64_t from, std::uint64_t to) const;
  /// Takes further ones, in the place of what does not touch them.
  void add(std::uint64_t from, std::uint64_t to);

  bool operator==(const ToldLoss&) const = default;
};

/// How far the log of an instance was delivered to a sink.
struct Cursor {
  logs::Place place;        ///< where reading goes on
  std::uint64_t line = 0;   ///< what is complete by that line of the log was delivered, though it lies behind `place`
  logs::Time time{};        ///< of the last entry that was delivered; 1970 where there was none
  ToldLoss told{};          ///< behind `place`

  bool operator==(const Cursor&) const = default;
};

/// All that is kept of a sink: how far each source was delivered to it.
struct Cursors {
  std::map<std::string, Cursor, std::less<>> instances;  ///< by "web/worker.2"
  std::int64_t event = 0;                                ///< the number of the last event
  std::uint64_t rules = 0;                               ///< the mark of the rules by which lines became entries
  std::vector<std::string> apps;                         ///< whose lines were wanted; empty: all

  bool operator==(const Cursors&) const = default;
};

/// As the file has it: lines, and a checksum at the end. docs/formats.md describes it.
std::string to_text(const Cursors& cursors);
/// Fails with `Errc::protocol` on anything but what `to_text` makes.
Result<Cursors> parse_cursors(std::string_view text);

// Where the cursors of sinks and of webhooks are, below the state.
inline constexpr const char* kSinkCursors = "ship";
inline constexpr const char* kWebhookCursors = "webhooks";

/// Takes every cursor of the sinks and webhooks below `state` that is past `last_event` back to it, since events behind it are others from now on: those of a
/// backup that was put in place. While no berthd has the state. What is no whole cursor file is left to berthd, which tells of it.
Result<void> take_back(const std::filesystem::path& state, std::int64_t last_event);

/// `<folder>/<sink>.cursors`.
class CursorFile {
 public:
  CursorFile(const std::filesystem::path& folder, std::string_view sink);

  /// What was stored last; nothing where the sink is new. `Errc::protocol` where the file is damaged; the sources are then to be read from the oldest line kept.
  Result<std::optional<Cursors>> load() const;
  /// Replaces it durably.
  Result<void> store(const Cursors& cursors) const;

  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

}  // namespace berth::ship
