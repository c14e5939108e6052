#include "daemon/ship/file_line.h"

#include <iterator>

#include <fmt/format.h>

#include "daemon/ship/sinks/line_text.h"
#include "daemon/ship/sinks/severity.h"

namespace berth::ship {
namespace {

void append_field(std::string& out, const char* name, const std::string& text) {
  if (text.empty()) return;
  out += ",\"";
  out += name;
  out += "\":";
  append_json(out, text);
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
      append_json(out, name);
      out += ':';
      append_json(out, text);
    }
    out += '}';
  }
  out += ",\"text\":";
  return out;
}

}  // namespace

void FileLines::append(std::string& out, const Entry& entry) {
  if (origin_ != entry.origin) {
    origin_ = entry.origin;
    origin_text_ = origin_fields(*origin_);
  }
  fmt::format_to(std::back_inserter(out), "{{\"time\":\"{}\",\"severity\":\"{}\",\"sequence\":{}{}", logs::format_rfc3339(entry.time, 9), to_string(entry.severity),
                 entry.sequence, origin_text_);
  append_json(out, entry.text);
  out += "}\n";
}

}  // namespace berth::ship
