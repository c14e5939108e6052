#include "daemon/ship/sinks/journal_entry.h"

#include <algorithm>
#include <cstdint>
#include <iterator>

#include <fmt/format.h>

namespace berth::ship {
namespace {

constexpr std::size_t kLongestField = 64;  ///< bytes of a name, to journald

void append_journal_field(std::string& out, std::string_view name, std::string_view value) {
  if (value.empty()) return;
  out += name;
  if (value.find('\n') == std::string_view::npos) {
    out += '=';
  } else {
    out += '\n';
    for (int shift = 0; shift < 64; shift += 8) out += static_cast<char>(static_cast<std::uint64_t>(value.size()) >> shift);
  }
  out += value;
  out += '\n';
}

std::string journal_origin(const Origin& origin) {
  std::string text;
  append_journal_field(text, "SYSLOG_IDENTIFIER", program_of(origin));
  append_journal_field(text, "BERTH_APP", origin.app);
  append_journal_field(text, "BERTH_ENVIRONMENT", origin.environment);
  append_journal_field(text, "BERTH_RELEASE", origin.release);
  append_journal_field(text, "BERTH_PROCESS", origin.process);
  append_journal_field(text, "BERTH_INSTANCE", origin.instance);
  append_journal_field(text, "BERTH_DEPLOYMENT", origin.deployment);
  append_journal_field(text, "BERTH_NODE", origin.node);
  append_journal_field(text, "BERTH_STREAM", origin.stream);
  for (const auto& [name, value] : origin.labels) append_journal_field(text, journal_label(name), value);
  return text;
}

}  // namespace

std::string journal_label(std::string_view label) {
  std::string name = "BERTH_LABEL_" + std::string(label);
  name.resize(std::min(name.size(), kLongestField));
  std::ranges::transform(name, name.begin(), [](char c) -> char {
    if (c >= 'a' && c <= 'z') return static_cast<char>(c - 'a' + 'A');
    return (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ? c : '_';
  });
  return name;
}

JournalEncoder::JournalEncoder() : origins_(&journal_origin) {}

void JournalEncoder::encode(const Entry& entry, std::string& into) {
  into += origins_.of(entry.origin);
  fmt::format_to(std::back_inserter(into), "PRIORITY={}\nBERTH_SEQUENCE={}\nBERTH_TIME={}\n", static_cast<int>(entry.severity), entry.sequence,
                 logs::format_rfc3339(entry.time, 9));
  if (entry.text.empty()) into += "MESSAGE=\n";
  append_journal_field(into, "MESSAGE", entry.text);
}

}  // namespace berth::ship
