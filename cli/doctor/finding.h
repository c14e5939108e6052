#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/json/json.h"

namespace berth::cli::doctor {

enum class Level { ok, warning, error };
std::string_view to_string(Level level);

/// What a check saw, and what it means for whoever runs the node.
struct Finding {
  Level level = Level::ok;
  std::string name;      ///< of what was looked at: "disk", "certificates"
  std::string seen;      ///< one line
  std::string why{};     ///< why it matters; empty where all is well
  std::string remedy{};  ///< what to do; likewise

  bool operator==(const Finding&) const = default;
};

using Findings = std::vector<Finding>;

/// What was worst; `ok` of none.
Level worst_of(const Findings& findings);

/// As a text: errors first, then warnings with what to do, then a line for each thing that is well.
std::string to_text(const Findings& findings, bool colour);

/// `{"level", "name", "seen", "why", "do"}` each, in the order of the checks.
json::array to_json(const Findings& findings);

}  // namespace berth::cli::doctor
