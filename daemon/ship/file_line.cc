#include "daemon/ship/file_line.h"

#include <iterator>

#include <fmt/format.h>

#include "core/json/json.h"
#include "daemon/ship/sinks/severity.h"

namespace berth::ship {
namespace {

constexpr std::size_t kMostBefore = 128;  ///< bytes of a line that are neither what its origin says nor its text: time, severity and sequence
constexpr std::size_t kMostEscaped = 6;   ///< of a byte of text, `\\u0000`

void append_field(std::string& out, const char* name, const std::string& text) {
  if (text.empty()) return;
  out += ",\"";
  out += name;
  out += "\":";
  json::append_quoted(out, text);
}

/// `,"node":"edge-1",…,"text":`.
std::string origin_fields(const Origin& origin) {
  std::string out;
  append_field(out, "node", origin.node);
  append_field(out, "environment", origin.environment);
  append_field(out, "app", origin.app);
  append_field(out, "release", origin.release);
  append_field(out, "process", origin.process);
  append_field(out, "instance", origin.instance);
  append_field(out, "deployment", origin.deployment);
  append_field(out, "stream", origin.stream);
  if (!origin.labels.empty()) {
    out += ",\"labels\":{";
    for (const auto& [name, text] : origin.labels) {
      if (out.back() != '{') out += ',';
      json::append_quoted(out, name);
      out += ':';
      json::append_quoted(out, text);
    }
    out += '}';
  }
  out += ",\"text\":";
  return out;
}

}  // namespace

void FileLines::know(const Entry& entry) {
  if (origin_ == entry.origin) return;
  origin_ = entry.origin;
  origin_text_ = origin_fields(*origin_);
}

std::size_t FileLines::most(const Entry& entry) {
  know(entry);
  return kMostBefore + origin_text_.size() + kMostEscaped * entry.text.size();
}

void FileLines::append(std::string& out, const Entry& entry) {
  know(entry);
  fmt::format_to(std::back_inserter(out), "{{\"time\":\"{}\",\"severity\":\"{}\",\"sequence\":{}{}", logs::format_rfc3339(entry.time, 9), to_string(entry.severity),
                 entry.sequence, origin_text_);
  json::append_quoted(out, entry.text);
  out += "}\n";
}

}  // namespace berth::ship
