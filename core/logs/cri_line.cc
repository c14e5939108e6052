#include "core/logs/cri_line.h"

#include <algorithm>
#include <utility>

namespace berth::logs {
namespace {

/// The text up to the next colon, which goes with it.
std::string_view next_part(std::string_view& rest) {
  const auto end = rest.find(':');
  const std::string_view part = rest.substr(0, end);
  rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
  return part;
}

Record begin_record(const CriLine& line) {
  Record record{.time = line.time, .stream = line.stream, .text = std::string(line.text)};
  const LineTag tag = parse_tag(line.tag);
  record.release = tag.release;
  record.deployment = tag.deployment;
  record.pid = tag.pid;
  record.keeper = tag.keeper;
  return record;
}

}  // namespace

std::string_view to_string(Stream stream) {
  return stream == Stream::out ? "stdout" : "stderr";
}

LineTag parse_tag(std::string_view whole) {
  LineTag tag{.whole = whole};
  std::string_view rest = whole;
  tag.release = next_part(rest);
  tag.deployment = next_part(rest);
  if (tag.deployment == "0") tag.deployment = {};
  tag.pid = next_part(rest);
  if (tag.pid == "0") tag.pid = {};
  tag.keeper = next_part(rest) == "keeper";
  return tag;
}

std::optional<CriLine> parse_cri_line(std::string_view line) {
  const auto after_time = line.find(' ');
  if (after_time == std::string_view::npos) return {};
  const auto time = parse_rfc3339(line.substr(0, after_time));
  if (!time) return {};
  CriLine parsed{.time = *time};
  std::string_view rest = line.substr(after_time + 1);
  if (rest.starts_with("stdout ")) {
    parsed.stream = Stream::out;
  } else if (rest.starts_with("stderr ")) {
    parsed.stream = Stream::err;
  } else {
    return {};
  }
  rest.remove_prefix(7);
  // CRI allows several tags, `P:tag`; the first one tells whether the line is whole.
  const auto after_tag = rest.find(' ');
  std::string_view tags = rest.substr(0, after_tag);
  const std::string_view first = next_part(tags);
  if (first != "P" && first != "F") return {};
  parsed.partial = first == "P";
  parsed.tag = tags;
  parsed.text = after_tag == std::string_view::npos ? std::string_view() : rest.substr(after_tag + 1);
  return parsed;
}

std::optional<Record> LineJoiner::add(const CriLine& line, std::uint64_t sequence) {
  const auto begun = std::ranges::find_if(pending_, [&](const Pending& one) { return one.record.stream == line.stream && one.tag == line.tag; });
  std::optional<Record> given;
  if (begun == pending_.end()) {
    Record record = begin_record(line);
    record.sequence = sequence;
    given = take_ended_run(record);
    if (!line.partial) {
      if (!given) return record;
      more_ = std::move(record);
      return given;
    }
    if (pending_.size() == kMostOpen) {
      given = take(0);
      given->cut = true;
    }
    pending_.push_back({std::string(line.tag), sequence, std::move(record)});
    return given;
  }
  Record& record = begun->record;
  record.text.append(line.text);
  record.sequence = sequence;
  if (line.partial && record.text.size() < kMostRecord) return {};
  record.cut = line.partial;
  return take(static_cast<std::size_t>(begun - pending_.begin()));
}

/// What the run before that of `begun` left open on its stream.
std::optional<Record> LineJoiner::take_ended_run(const Record& begun) {
  if (begun.pid.empty()) return {};
  const auto ended = std::ranges::find_if(pending_, [&](const Pending& one) {
    const Record& open = one.record;
    return open.stream == begun.stream && open.release == begun.release && !open.pid.empty() && open.pid != begun.pid;
  });
  if (ended == pending_.end()) return {};
  Record record = take(static_cast<std::size_t>(ended - pending_.begin()));
  record.cut = true;
  return record;
}

Record LineJoiner::take(std::size_t place) {
  Record record = std::move(pending_[place].record);
  pending_.erase(pending_.begin() + static_cast<std::ptrdiff_t>(place));
  return record;
}

std::optional<Record> LineJoiner::flush() {
  // The oldest first, so that a caller that asks until nothing is left sees them in order.
  const auto oldest = std::ranges::min_element(pending_, {}, [](const Pending& one) { return one.record.time; });
  if (oldest == pending_.end()) return {};
  return take(static_cast<std::size_t>(oldest - pending_.begin()));
}

std::optional<std::uint64_t> LineJoiner::open_since() const {
  std::optional<std::uint64_t> since;
  if (more_) since = more_->sequence;
  for (const Pending& pending : pending_)
    if (!since || pending.first < *since) since = pending.first;
  return since;
}

}  // namespace berth::logs
