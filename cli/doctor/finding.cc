#include "cli/doctor/finding.h"

#include <algorithm>

#include <fmt/core.h>

#include "cli/help.h"
#include "cli/output/table.h"
#include "cli/output/text.h"
#include "core/utf8.h"

namespace berth::cli::doctor {
namespace {

constexpr std::size_t kIndent = 9;  ///< below "warning  "
constexpr std::size_t kWidth = 100;

Tint tint_of(Level level) {
  if (level == Level::error) return Tint::bad;
  return level == Level::warning ? Tint::warning : Tint::good;
}

std::string indented(std::string_view text) { return std::string(kIndent, ' ') + wrap(text, kWidth - kIndent, kIndent) + "\n"; }

}  // namespace

std::string_view to_string(Level level) {
  switch (level) {
    case Level::ok: return "ok";
    case Level::warning: return "warning";
    case Level::error: return "error";
  }
  return "";
}

Level worst_of(const Findings& findings) {
  Level worst = Level::ok;
  for (const Finding& finding : findings) worst = std::max(worst, finding.level);
  return worst;
}

std::string to_text(const Findings& findings, bool colour) {
  std::string text;
  for (const Level level : {Level::error, Level::warning, Level::ok}) {
    for (const Finding& finding : findings) {
      if (finding.level != level) continue;
      text += tinted(fmt::format("{:<{}}", to_string(level), kIndent), tint_of(level), colour);
      text += wrap(printable(fmt::format("{}: {}", finding.name, finding.seen)), kWidth - kIndent, kIndent) + "\n";
      if (!finding.why.empty()) text += indented(printable(finding.why));
      if (!finding.remedy.empty()) text += indented("→ " + printable(finding.remedy));
    }
  }
  return text;
}

json::array to_json(const Findings& findings) {
  json::array list;
  for (const Finding& finding : findings) {
    list.push_back({{"level", to_string(finding.level)},
                    {"name", finding.name},
                    {"seen", as_utf8(finding.seen)},
                    {"why", as_utf8(finding.why)},
                    {"do", as_utf8(finding.remedy)}});
  }
  return list;
}

}  // namespace berth::cli::doctor
