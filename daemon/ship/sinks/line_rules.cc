#include "daemon/ship/sinks/line_rules.h"

#include <algorithm>
#include <utility>

#include <fmt/core.h>

#include "core/crypto/sha256.h"
#include "daemon/config/values.h"
#include "daemon/ship/sinks/json_line.h"
#include "daemon/ship/sinks/line_text.h"
#include "daemon/ship/sinks/severity.h"

namespace berth::ship {
namespace {

constexpr std::size_t kSearchedForStart = 4096;         ///< bytes of a line in which the pattern of a first one is looked for
constexpr std::chrono::hours kBelievedTime{24};         ///< that a line's own time may be away from when it was written
constexpr std::chrono::milliseconds kUntoldDrop{1000};  ///< for which dropped lines wait to be told together

int burst_of(const RateLimit& limit) {
  if (limit.burst > 0) return limit.burst;
  return std::max(1, static_cast<int>(limit.rate->per_second() * 10));
}

/// Differs where entries become others by them.
std::uint64_t mark_of_rules(const LineRules& rules, const std::string& begins, const std::vector<std::string>& redact) {
  const spec::Rate rate = rules.limit.rate.value_or(spec::Rate{.number = 0});
  std::string text = fmt::format("{} {} {} {} {} {} {}\n{}\n", rules.wait.count(), rules.most_joined, static_cast<int>(rules.json), rules.strip_ansi, rate.number, rate.unit,
                                 rules.limit.burst, begins);
  for (const std::string& pattern : redact) text += pattern + "\n";
  return std::stoull(crypto::sha256_hex(text).substr(0, 16), nullptr, 16);
}

/// Takes out what the line says of itself.
void use_what_it_says(const LineRules& rules, Entry& entry) {
  if (rules.json != JsonLines::off) {
    if (auto line = read_json_line(entry.text)) {
      if (line->severity) entry.severity = *line->severity;
      // A clock that is wrong by days would have a sink refuse the entry, or show it where nobody looks.
      if (line->time && std::chrono::abs(*line->time - entry.time) <= kBelievedTime) {
        entry.written = entry.time;
        entry.time = *line->time;
      }
      if (rules.json == JsonLines::message && line->text) entry.text = std::move(*line->text);
      return;
    }
  }
  if (rules.json == JsonLines::off && entry.text.starts_with('{')) return;
  const GuessedSeverity guessed = guess_severity(entry.text);
  if (guessed.severity) entry.severity = *guessed.severity;
  entry.text.erase(0, guessed.prefix);
}

}  // namespace

void LineMaker::add(logs::Record record, std::shared_ptr<const Origin> origin, Clock::time_point now, std::vector<Entry>& out) {
  const std::uint64_t behind = std::exchange(last_, record.sequence);
  written_ = record.time;
  if (rules_->strip_ansi) record.text = without_ansi(record.text);
  Entry entry{.time = record.time, .sequence = record.sequence, .text = std::move(record.text), .origin = std::move(origin)};
  if (!rules_->begins) {
    hand_out(std::move(entry), behind, now, out);
    return;
  }
  Joining& joining = joining_[static_cast<std::size_t>(record.stream)];
  const bool begins = !joining.entry || joining.entry->origin != entry.origin || joining.pid != record.pid || entry.time - joining.entry->time >= rules_->wait ||
                      joining.entry->text.size() + entry.text.size() + 1 > rules_->most_joined ||
                      rules_->begins->found_in(std::string_view(entry.text).substr(0, kSearchedForStart));
  if (!begins) {
    joining.entry->text += '\n';
    joining.entry->text += entry.text;
    joining.entry->sequence = entry.sequence;
    return;
  }
  finish(joining, now, out);
  joining = {.entry = std::move(entry), .behind = behind, .pid = std::move(record.pid), .since = now};
}

void LineMaker::finish(Joining& joining, Clock::time_point now, std::vector<Entry>& out) {
  if (!joining.entry) return;
  Entry entry = std::move(*joining.entry);
  joining.entry.reset();
  hand_out(std::move(entry), joining.behind, now, out);
}

void LineMaker::hand_out(Entry entry, std::uint64_t behind, Clock::time_point now, std::vector<Entry>& out) {
  if (!may_pass(entry.time)) {
    drop(entry, behind, now);
    return;
  }
  tell_dropped(out);
  use_what_it_says(*rules_, entry);
  redact(entry.text);
  entry.text = escape_bytes(std::move(entry.text));
  out.push_back(std::move(entry));
}

void LineMaker::redact(std::string& text) const {
  if (secrets_) secrets_->redact(text);
  rules_->redactor.redact(text);
}

// By the time at which lines were written, not read: a backlog is no burst, and what is read again is judged alike.
bool LineMaker::may_pass(logs::Time time) {
  if (!rules_->limit.rate) return true;
  const double most = burst_of(rules_->limit);
  if (tokens_ < 0) {
    tokens_ = most;
    counted_ = time;
  }
  if (time > counted_) {
    tokens_ = std::min(most, tokens_ + std::chrono::duration<double>(time - counted_).count() * rules_->limit.rate->per_second());
    counted_ = time;
  } else if (counted_ - time > std::chrono::minutes(1)) {
    counted_ = time;  // the clock was set back
  }
  if (tokens_ < 1) return false;
  tokens_ -= 1;
  return true;
}

void LineMaker::drop(const Entry& entry, std::uint64_t behind, Clock::time_point now) {
  if (untold_.count == 0) untold_ = {.behind = behind, .first = entry.sequence, .from = entry.time, .since = now};
  ++untold_.count;
  ++dropped_;
  untold_.last = std::max(untold_.last, entry.sequence);
  untold_.until = entry.time;
  untold_.origin = entry.origin;
}

void LineMaker::tell_dropped(std::vector<Entry>& out) {
  if (untold_.count == 0) return;
  const Dropped told = std::exchange(untold_, {});
  out.push_back({.time = told.until,
                 .severity = Severity::warning,
                 .sequence = told.last,
                 .text = fmt::format("berth: the rate limit of {} (burst {}) dropped {} {} of {} from {} to {}, sequence {} to {}", to_string(*rules_->limit.rate),
                                     burst_of(rules_->limit), told.count, told.count == 1 ? "entry" : "entries", told.origin->instance,
                                     logs::format_rfc3339(told.from), logs::format_rfc3339(told.until), told.first, told.last),
                 .origin = told.origin});
}

void LineMaker::flush(Clock::time_point now, std::vector<Entry>& out, bool at_end) {
  const bool all = now == Clock::time_point::max();
  // In the order in which they were begun, so that sequences come as they can.
  Joining* order[2] = {&joining_[0], &joining_[1]};
  if (joining_[1].entry && joining_[0].entry && joining_[1].behind < joining_[0].behind) std::swap(order[0], order[1]);
  const auto is_over = [&](const Joining& joining) {
    return all || written_ - joining.entry->time >= rules_->wait || (at_end && now - joining.since >= rules_->wait);
  };
  for (Joining* joining : order)
    if (joining->entry && is_over(*joining)) finish(*joining, now, out);
  if (untold_.count > 0 && (all || now - untold_.since >= kUntoldDrop)) tell_dropped(out);
}

std::optional<std::uint64_t> LineMaker::held_behind() const {
  std::optional<std::uint64_t> lowest;
  const auto hold = [&lowest](std::uint64_t behind) { lowest = std::min(lowest.value_or(behind), behind); };
  for (const Joining& joining : joining_)
    if (joining.entry) hold(joining.behind);
  if (untold_.count > 0) hold(untold_.behind);
  return lowest;
}

LineRules parse_line_rules(config::Section& section) {
  LineRules rules;
  section.read("multiline_start", rules.begins, [](const std::string& text) -> Result<std::optional<logs::Pattern>> {
    BERTH_TRY(auto pattern, logs::Pattern::regex(text));
    return std::optional(std::move(pattern));
  });
  section.read("multiline_wait", rules.wait, [](const std::string& text) { return config::parse_interval(text); });
  section.read("multiline_bytes", rules.most_joined, [](const std::string& text) -> Result<std::size_t> {
    BERTH_TRY(const std::uint64_t bytes, config::parse_size(text));
    if (bytes >= 1024 && bytes <= (1u << 20)) return static_cast<std::size_t>(bytes);
    return fail(Errc::usage, fmt::format("'{}' is not from '1KiB' to '1MiB'", text));
  });
  section.read("json", rules.json, [](const std::string& text) -> Result<JsonLines> {
    if (text == "off") return JsonLines::off;
    if (text == "fields") return JsonLines::fields;
    if (text == "message") return JsonLines::message;
    return fail(Errc::usage, fmt::format("'{}': what is made of lines of JSON is \"off\", \"fields\" or \"message\"", text));
  });
  section.read("ansi", rules.strip_ansi, [](const std::string& text) -> Result<bool> {
    if (text == "keep" || text == "strip") return text == "strip";
    return fail(Errc::usage, fmt::format("'{}': what becomes of terminals' escape sequences is \"keep\" or \"strip\"", text));
  });
  section.read("rate", rules.limit.rate, [](const std::string& text) -> Result<std::optional<spec::Rate>> {
    BERTH_TRY(const auto rate, spec::parse_rate(text));
    if (rate.number < 1) return fail(Errc::usage, fmt::format("'{}' lets nothing pass", text));
    return std::optional(rate);
  });
  rules.limit.burst = static_cast<int>(section.integer("burst", 0, 1, 1'000'000));
  if (section.has("burst") && !section.has("rate")) section.complain("burst", "burst is of a 'rate', which is missing");
  if (!section.has("multiline_start"))
    for (const char* key : {"multiline_wait", "multiline_bytes"})
      if (section.has(key)) section.complain(key, fmt::format("{} is of a 'multiline_start', which is missing", key));
  const std::vector<std::string> redact = section.strings("redact");
  if (auto redactor = PatternRedactor::make(redact)) rules.redactor = std::move(*redactor);
  else section.complain("redact", "redact: " + redactor.error().message);
  rules.mark = mark_of_rules(rules, section.string("multiline_start", {}), redact);
  return rules;
}

}  // namespace berth::ship
