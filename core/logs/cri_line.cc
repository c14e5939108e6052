#include "core/logs/cri_line.h"

#include <utility>

namespace berth::logs {

std::string_view to_string(Stream stream) {
  return stream == Stream::out ? "stdout" : "stderr";
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
  const std::string_view tags = rest.substr(0, after_tag);
  const std::string_view first = tags.substr(0, tags.find(':'));
  if (first != "P" && first != "F") return {};
  parsed.partial = first == "P";
  parsed.text = after_tag == std::string_view::npos ? std::string_view() : rest.substr(after_tag + 1);
  return parsed;
}

std::optional<Record> LineJoiner::add(const CriLine& line, std::uint64_t sequence) {
  Pending& pending = pending_[line.stream == Stream::err ? 1 : 0];
  if (!pending.open) {
    pending.open = true;
    pending.record = Record{.time = line.time, .stream = line.stream};
  }
  pending.record.text.append(line.text);
  pending.record.sequence = sequence;
  const bool full = pending.record.text.size() >= kMostRecord;
  if (line.partial && !full) return {};
  pending.record.cut = line.partial;
  pending.open = false;
  return std::exchange(pending.record, {});
}

std::optional<Record> LineJoiner::flush() {
  // The older of the two first, so that a caller that asks until nothing is left sees them in order.
  Pending* first = nullptr;
  for (Pending& pending : pending_)
    if (pending.open && (first == nullptr || pending.record.time < first->record.time)) first = &pending;
  if (first == nullptr) return {};
  first->open = false;
  return std::exchange(first->record, {});
}

}  // namespace berth::logs
