#include "daemon/ship/sinks/syslog_message.h"

#include <algorithm>
#include <charconv>
#include <iterator>

#include <fmt/format.h>

#include "daemon/ship/sinks/line_text.h"

namespace berth::ship {
namespace {

constexpr std::string_view kFacilities[] = {"kern",     "user", "mail", "daemon", "auth",   "syslog", "lpr",    "news",   "uucp",   "cron",   "authpriv", "ftp",
                                            "ntp",      "audit", "alert", "clock", "local0", "local1", "local2", "local3", "local4", "local5", "local6",   "local7"};

/// A field of the header: printable ASCII, of bounded length (RFC 5424, 6).
std::string header_field(std::string_view text, std::size_t longest) {
  std::string field(text.substr(0, longest));
  std::ranges::replace_if(field, [](char c) { return c < '!' || c > '~'; }, '_');
  return field.empty() ? "-" : field;
}

/// RFC 5424, 6.3.3.
void append_parameter(std::string& out, std::string_view name, std::string_view value) {
  if (value.empty()) return;
  out += ' ';
  out += name;
  out += "=\"";
  for (const char c : value) {
    if (c == '"' || c == '\\' || c == ']') out += '\\';
    out += c;
  }
  out += '"';
}

/// A name of a parameter may not have what ends it, nor more than 32 bytes.
std::string parameter_name(std::string_view label) {
  std::string name = header_field(label, 32);
  std::ranges::replace_if(name, [](char c) { return c == '=' || c == ']' || c == '"'; }, '_');
  return name;
}

/// A number as a text, without an allocation.
class Digits {
 public:
  explicit Digits(std::uint64_t number) : end_(std::to_chars(digits_, std::end(digits_), number).ptr) {}
  std::string_view text() const { return {digits_, end_}; }

 private:
  char digits_[20];
  const char* end_;
};

std::string without_labels(const Origin& origin) {
  std::string text = fmt::format(" {} {} {} {} [berth@32473", header_field(origin.node, 255), header_field(program_of(origin), 48), header_field(origin.instance, 128),
                                 header_field(origin.stream, 32));
  append_parameter(text, "app", origin.app);
  append_parameter(text, "environment", origin.environment);
  append_parameter(text, "release", origin.release);
  append_parameter(text, "process", origin.process);
  append_parameter(text, "instance", origin.instance);
  append_parameter(text, "deployment", origin.deployment);
  append_parameter(text, "node", origin.node);
  append_parameter(text, "stream", origin.stream);
  return text;
}

std::string with_labels(const Origin& origin) {
  std::string text = without_labels(origin);
  for (const auto& [name, value] : origin.labels) append_parameter(text, parameter_name(name), value);
  return text;
}

}  // namespace

int syslog_facility(std::string_view name) {
  const auto* found = std::ranges::find(kFacilities, name);
  return found == std::end(kFacilities) ? -1 : static_cast<int>(found - std::begin(kFacilities));
}

SyslogEncoder::SyslogEncoder(SyslogFormat format) : format_(format), origins_(&with_labels), short_origins_(&without_labels) {}

/// "2026-11-24T09:00:01.000123Z", the same digits as far as the second is the same.
std::string_view SyslogEncoder::text_of(logs::Time time) {
  const auto second = std::chrono::floor<std::chrono::seconds>(time);
  if (second != second_time_) {
    time_ = logs::format_rfc3339(second, 6);
    second_time_ = second;
  }
  auto micros = std::chrono::floor<std::chrono::microseconds>(time - second).count();
  for (std::size_t place = 0; place < 6; ++place, micros /= 10) time_[time_.size() - 2 - place] = static_cast<char>('0' + micros % 10);
  return time_;
}

void SyslogEncoder::append_message(const Entry& entry, std::string_view mark, std::string_view text, SyslogMessages& into) {
  constexpr std::string_view kVersion = ">1 ", kSequence = " seq=\"", kMarkBegins = "\"", kEnd = "]";
  const Digits priority(static_cast<std::uint64_t>(format_.facility * 8 + static_cast<int>(entry.severity))), sequence(entry.sequence);
  const std::string_view time = text_of(entry.time);
  const std::size_t length = 1 + priority.text().size() + kVersion.size() + time.size() + origin_->size() + kSequence.size() + sequence.text().size() +
                             kMarkBegins.size() + mark.size() + kEnd.size() + (text.empty() ? 0 : 1 + text.size());
  std::string& bytes = into.bytes;
  if (format_.counted) {
    bytes += Digits(length).text();
    bytes += ' ';
  }
  bytes += '<';
  for (const std::string_view part : {priority.text(), kVersion, time, std::string_view(*origin_), kSequence, sequence.text(), kMarkBegins, mark, kEnd}) bytes += part;
  if (!text.empty()) bytes += ' ';
  bytes += text;
  into.ends.push_back(bytes.size());
}

void SyslogEncoder::encode(const Entry& entry, SyslogMessages& into) {
  constexpr std::size_t kRest = 100;  // for what is in no origin: priority, time, sequence, mark
  origin_ = &origins_.of(entry.origin);
  // Labels may be as many and as long as somebody likes; a message without room for its text is none.
  if (origin_->size() + kRest > format_.most / 2) origin_ = &short_origins_.of(entry.origin);
  const std::size_t head = origin_->size() + kRest;
  const std::size_t room = format_.most > head + kRest ? format_.most - head : kRest;
  std::string_view text = entry.text;
  if (text.size() <= room) {
    append_message(entry, {}, text, into);
    return;
  }
  if (!format_.split) {
    append_message(entry, fmt::format(" cut=\"{}\"", text.size()), cut_text(text, room), into);
    return;
  }
  std::vector<std::string_view> parts;
  for (; !text.empty(); text.remove_prefix(parts.back().size())) parts.push_back(cut_text(text, room));
  for (std::size_t i = 0; i < parts.size(); ++i) append_message(entry, fmt::format(" part=\"{}/{}\"", i + 1, parts.size()), parts[i], into);
}

}  // namespace berth::ship
