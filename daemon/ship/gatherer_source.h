#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "daemon/ship/gatherer.h"

namespace berth::ship {

inline constexpr std::size_t kReadAtOnce = 64u << 10;  ///< bytes of a log: each sink has a reader of its own for as long as it is behind

/// One instance.
struct Gatherer::Source {
  Source(const GathererParts& parts, logs::InstanceLog its_log)
      : log(std::move(its_log)), name(to_string(log.id)), maker(parts.names, log.id, parts.wanted.rules) {}

  /// How far the log has grown.
  void see(const LogState& state) {
    if (!firsts || state.firsts->front() <= next.segment) firsts = state.firsts;
    if (state.newest == newest && state.size == size) return;
    known = newest;
    had_more = has_more();
    newest = state.newest;
    size = state.size;
  }
  /// Whether its log has grown since it was read to its end, or may have.
  bool has_more() const { return reader != nullptr || !trouble.empty() || newest != read_newest || size != read_size; }

  void open() {
    if (reader) return;
    reader = std::make_unique<logs::InstanceCursor>(log, logs::LogFilter{}, false);
    reader->set_block(kReadAtOnce);
    reader->start_at(next, at.time);
    replaced = 0;
  }
  /// Behind which record the cursor is, as far as lines are held back.
  void note(std::uint64_t sequence) {
    steps.push_back({sequence, next});
    const auto held = maker.held_behind();
    const auto kept = held ? std::ranges::find(steps, *held, &Step::sequence) : std::prev(steps.end());
    if (kept != steps.end()) steps.erase(steps.begin(), kept);
  }

  /// Where the log goes on behind a record.
  struct Step {
    std::uint64_t sequence = 0;
    logs::Place place;
  };

  logs::InstanceLog log;
  std::string name;
  EntryMaker maker;
  Cursor begun;                                      ///< `at`, as it was first
  Cursor at;                                         ///< behind the last batch gathered
  logs::Place next;                                  ///< where this program reads on, also where lines from before are held back
  std::deque<Step> steps;                            ///< the record behind which lines are held back, and those that came since; else the last one
  std::unique_ptr<logs::InstanceCursor> reader;      ///< while there is more than a batch had room for
  std::uint64_t read_to = 0;                         ///< the line up to which the maker has had everything
  std::uint64_t skip_to = 0;                         ///< the line up to which everything was delivered before this program began
  std::uint64_t replaced = 0;                        ///< as the reader says
  std::uint64_t limited = 0;                         ///< entries that the rate limit dropped, of those told
  std::uint64_t newest = 0, size = 0;                ///< of the log, as the scan has it
  std::shared_ptr<const std::vector<std::uint64_t>> firsts;  ///< of its segments when that with `next` was last there
  std::uint64_t known = 0;                           ///< `newest` before that: so far numbers had gone at least
  bool had_more = true;                              ///< there was something to read then, or nobody knows
  std::uint64_t kept_name = 0;                       ///< the newest segment whose name no power cut takes back
  std::string trouble;                               ///< why it could not be read; empty: it could
  std::uint64_t read_newest = 0, read_size = ~0ull;  ///< the same when it was read to its end
};

}  // namespace berth::ship
