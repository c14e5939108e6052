#include "daemon/deploy/last_lines.h"

#include <algorithm>
#include <cctype>
#include <ranges>
#include <string_view>
#include <utility>

#include <fmt/core.h>

#include "core/logs/log_reader.h"
#include "core/utf8.h"

namespace berth::deploy {
namespace {

constexpr std::string_view kCut = "…";

/// At most `most` bytes of valid UTF-8.
std::string cut(std::string text, std::size_t most) {
  if (text.size() <= most) return text;
  std::size_t end = most < kCut.size() ? 0 : most - kCut.size();
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
  text.resize(end);
  return text.append(kCut);
}

/// A line of the log, no longer than it may be in the end: the app's own may have a mebibyte.
std::string shown(const logs::LogReader& reader, const logs::Record& record, const Redact& redact, std::size_t most) {
  std::string whole(record.text);
  if (redact) redact(whole);  // first: of a secret that is cut the rest would stay
  const auto text = std::string_view(whole).substr(0, most);
  if (reader.instances() < 2) return as_utf8(text);
  const InstanceId& id = reader.instance(record.source);
  return as_utf8(fmt::format("{}.{}: {}", id.process, id.number, text));
}

/// The newest of `lines` (the newest is the last) that fit.
std::vector<PrintedLine> newest(std::vector<PrintedLine> lines, const LastLinesLimits& limits) {
  std::vector<PrintedLine> kept;
  std::size_t left = limits.bytes;
  for (PrintedLine& line : lines | std::views::reverse) {
    std::string text = cut(std::move(line.text), limits.line_bytes);
    if (text.size() > left || kept.size() == limits.lines) break;
    left -= text.size();
    kept.push_back({.at = std::move(line.at), .text = std::move(text)});
  }
  std::ranges::reverse(kept);
  return kept;
}

}  // namespace

Result<std::vector<PrintedLine>> printed_last(const std::filesystem::path& logs, const InstanceSelector& what, logs::Time since, const std::string& release,
                                              const Redact& redact, const LastLinesLimits& limits) {
  // By number and not by time, which would read a log to its beginning where little was printed since.
  logs::LogFilter filter;
  if (!release.empty()) filter.release = release;
  auto reader = logs::LogReader::open(logs, {.selector = what, .filter = std::move(filter), .last = limits.lines});
  if (!reader && reader.error().code == Errc::not_found) return std::vector<PrintedLine>();
  if (!reader) return pass(std::move(reader.error()));

  std::vector<PrintedLine> lines;
  for (;;) {
    BERTH_TRY(const auto record, reader->next());
    if (!record) return newest(std::move(lines), limits);
    if (record->time >= since) lines.push_back({.at = logs::format_rfc3339(record->time, 6), .text = shown(*reader, *record, redact, limits.line_bytes + 1)});
  }
}

Result<std::vector<std::string>> last_lines(const std::filesystem::path& logs, const InstanceSelector& what, logs::Time since, const std::string& release,
                                            const Redact& redact, const LastLinesLimits& limits) {
  BERTH_TRY(auto printed, printed_last(logs, what, since, release, redact, limits));
  std::vector<std::string> lines;
  for (PrintedLine& one : printed) lines.push_back(std::move(one.text));
  return lines;
}

std::optional<InstanceId> named_in(const std::string& reason, const std::vector<InstanceId>& instances) {
  const auto is_of_a_name = [](char letter) { return std::isalnum(static_cast<unsigned char>(letter)) != 0 || letter == '-' || letter == '/'; };
  std::optional<InstanceId> first;
  std::size_t earliest = std::string::npos;
  for (const InstanceId& id : instances) {
    InstanceId plain = id;
    plain.release.clear();
    const std::string name = to_string(plain);
    for (auto at = reason.find(name); at < earliest; at = reason.find(name, at + 1)) {
      const std::size_t end = at + name.size();
      if ((at > 0 && is_of_a_name(reason[at - 1])) || (end < reason.size() && is_of_a_name(reason[end]))) continue;
      earliest = at;
      first = id;
    }
  }
  return first;
}

bool tells_port_taken(const std::vector<std::string>& lines) {
  static constexpr std::string_view kWords[] = {"address already in use", "address in use", "eaddrinuse", "errno 98", "os error 98", "port is already in use", "already in use by another process"};
  return std::ranges::any_of(lines, [](std::string line) {
    std::ranges::transform(line, line.begin(), [](unsigned char letter) { return static_cast<char>(std::tolower(letter)); });
    return std::ranges::any_of(kWords, [&line](std::string_view words) { return line.contains(words); });
  });
}

}  // namespace berth::deploy
