#include "core/bundle/entry_rules.h"

#include <fmt/core.h>

#include "core/bundle/paths.h"

namespace berth::bundle {
namespace {

bool has_canonical_mode(const Entry& entry) {
  switch (entry.type) {
    case EntryType::directory: return entry.mode == 0755;
    case EntryType::symlink: return entry.mode == 0777;
    case EntryType::file: return entry.mode == 0644 || entry.mode == 0755;
  }
  return false;
}

std::string wrong_alone(const Entry& entry) {
  if (std::string wrong = wrong_path(entry.path); !wrong.empty()) return wrong;
  if (!has_canonical_mode(entry)) return fmt::format("has mode {:04o}", entry.mode);
  if (entry.type != EntryType::file && entry.size != 0) return "has a size, and is no file";
  if (entry.type != EntryType::symlink && !entry.target.empty()) return "has a target, and is no link";
  return entry.type == EntryType::symlink ? wrong_target(entry.path, entry.target) : std::string();
}

}  // namespace

std::string EntryRules::wrong(const Entry& entry) {
  if (std::string wrong = wrong_alone(entry); !wrong.empty()) return wrong;
  if (count_ > 0 && entry.path == last_) return "is there twice";
  if (count_ > 0 && entry.path < last_) return fmt::format("comes after '{}', out of order", shown(last_));
  if (const auto parent = parent_of(entry.path); !parent.empty() && !directories_.contains(std::string(parent))) return "comes without its folder";
  if (++count_ > kMostEntries) return "is one path too many";
  if (entry.type == EntryType::directory) directories_.insert(entry.path);
  last_ = entry.path;
  return {};
}

std::string shown(std::string_view text) {
  constexpr std::size_t kMost = 200;
  std::string out;
  for (const char c : text.substr(0, kMost)) out += static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? '?' : c;
  return text.size() > kMost ? out + "…" : out;
}

}  // namespace berth::bundle
