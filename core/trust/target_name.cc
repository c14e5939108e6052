#include <algorithm>

#include "core/trust/repository.h"

namespace berth::trust {
namespace {

bool is_target_character(char c) {
  return ('A' <= c && c <= 'Z') || ('a' <= c && c <= 'z') || ('0' <= c && c <= '9') || c == '.' || c == '_' || c == '-';
}

}  // namespace

bool is_target_name(std::string_view name) {
  if (name.empty() || name.size() > 512) return false;
  while (true) {
    const auto segment = name.substr(0, name.find('/'));
    if (segment.empty() || segment == "." || segment == ".." || segment.size() > 180) return false;
    if (!std::ranges::all_of(segment, is_target_character)) return false;
    if (segment.size() == name.size()) return true;
    name.remove_prefix(segment.size() + 1);
  }
}

}  // namespace berth::trust
