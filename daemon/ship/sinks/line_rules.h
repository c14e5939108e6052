#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/logs/cri_line.h"
#include "core/logs/log_filter.h"
#include "core/spec/deploy.h"
#include "daemon/config/section.h"
#include "daemon/secrets/known_secrets.h"
#include "daemon/ship/sink.h"
#include "daemon/ship/sinks/redaction.h"

namespace berth::ship {

/// How much one instance may say.
struct RateLimit {
  std::optional<spec::Rate> rate;  ///< of entries; empty: as many as come
  int burst = 0;                   ///< entries that may come at once; 0: those of ten seconds
};

/// What is made of lines of JSON.
enum class JsonLines {
  off,
  fields,   ///< their level and time are the entry's; the text stays whole
  message,  ///< and the text is their message, with the other fields after it
};

/// How the lines of an instance become entries.
struct LineRules {
  std::optional<logs::Pattern> begins;     ///< a line in which it is found begins an entry; any other goes on with the one before. Empty: each line is one
  std::chrono::milliseconds wait{1000};    ///< a line that was written so long after the first one of an entry is none of its further lines
  std::size_t most_joined = 256u << 10;    ///< bytes; a longer entry ends there
  JsonLines json = JsonLines::fields;
  bool strip_ansi = false;
  RateLimit limit;
  PatternRedactor redactor;
  std::uint64_t mark = 0;                  ///< tells them from others, also over restarts
};

/// Reads `multiline_start`, `multiline_wait`, `multiline_bytes`, `json`, `ansi`, `rate`, `burst` and `redact`.
LineRules parse_line_rules(config::Section& section);

/// Makes entries of what one instance wrote, in its order.
class LineMaker {
 public:
  using Clock = std::chrono::steady_clock;

  explicit LineMaker(std::shared_ptr<const LineRules> rules) : rules_(std::move(rules)) {}

  /// What is taken out of every text from now on; or null.
  void know(std::shared_ptr<const secrets::KnownSecrets> secrets) { secrets_ = std::move(secrets); }

  /// Takes the next record, which was written by `origin`; appends the entries that it completes. `now` is when that happens.
  void add(logs::Record record, std::shared_ptr<const Origin> origin, Clock::time_point now, std::vector<Entry>& out);

  /// Appends what nothing goes on with any more: by the times of the records that came since, and, where there are none further (`at_end`), what has waited for long enough at `now`;
  /// `Clock::time_point::max()`: whatever waits.
  void flush(Clock::time_point now, std::vector<Entry>& out, bool at_end = true);

  /// Empty when nothing waits. Else the sequence of the last record before those that are still held back: a cursor may not be put behind it, also where
  /// entries with a higher one are out already. 0: there is none before.
  std::optional<std::uint64_t> held_behind() const;

  /// How many entries the rate limit has dropped so far.
  std::uint64_t dropped() const { return dropped_; }

 private:
  /// An entry that may go on.
  struct Joining {
    std::optional<Entry> entry;
    std::uint64_t behind = 0;  ///< the last sequence before its first line
    std::string pid;           ///< of the run that wrote it
    Clock::time_point since;
  };
  /// What was dropped and not told yet.
  struct Dropped {
    std::uint64_t count = 0, behind = 0, first = 0, last = 0;
    logs::Time from, until;
    std::shared_ptr<const Origin> origin;
    Clock::time_point since;
  };

  void finish(Joining& joining, Clock::time_point now, std::vector<Entry>& out);
  void hand_out(Entry entry, std::uint64_t behind, Clock::time_point now, std::vector<Entry>& out);
  bool may_pass(logs::Time time);
  void drop(const Entry& entry, std::uint64_t behind, Clock::time_point now);
  void tell_dropped(std::vector<Entry>& out);
  void redact(std::string& text) const;

  std::shared_ptr<const LineRules> rules_;
  std::shared_ptr<const secrets::KnownSecrets> secrets_;
  Joining joining_[2];      ///< by stream
  Dropped untold_;
  std::uint64_t dropped_ = 0;
  std::uint64_t last_ = 0;  ///< the sequence of the last record
  logs::Time written_{};    ///< and when that was written
  double tokens_ = -1;      ///< of the rate limit; negative: not begun
  logs::Time counted_;      ///< up to where tokens were given
};

}  // namespace berth::ship
