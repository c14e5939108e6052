#include "daemon/config/merge.h"

#include <algorithm>
#include <sstream>
#include <utility>

namespace berth::config {
namespace {

enum class Kind { table, tables, value };

Kind kind_of(const toml::node& node) {
  if (node.is_table()) return Kind::table;
  const auto* list = node.as_array();
  const bool has_tables = list != nullptr && !list->empty() && std::ranges::all_of(*list, [](const toml::node& item) { return item.is_table(); });
  return has_tables ? Kind::tables : Kind::value;
}

// NOLINTNEXTLINE(misc-no-recursion): as deep as the parser lets tables be
void merge_into(toml::table& into, toml::table& later, const std::string& table, Merged& merged) {
  for (auto&& [key, value] : later) {
    const std::string name(key.str());
    toml::node* before = into.get(name);
    if (before == nullptr) {
      into.insert(key, std::move(value));
      continue;
    }
    const Kind kind = kind_of(*before);
    if (kind != kind_of(value)) {
      merged.clashes.push_back({.table = table, .key = name, .was = before->source(), .is = value.source(), .differs = true});
    } else if (kind == Kind::table) {
      merge_into(*before->as_table(), *value.as_table(), table.empty() ? name : table + "." + name, merged);
    } else if (kind == Kind::tables) {
      for (toml::node& item : *value.as_array()) before->as_array()->push_back(std::move(*item.as_table()));
    } else {
      merged.overridden.push_back({.table = table, .key = name, .was = before->source(), .is = value.source(), .differs = as_toml(*before) != as_toml(value)});
      into.erase(name);
      into.insert(key, std::move(value));
    }
  }
}

}  // namespace

void merge(toml::table& into, toml::table&& later, Merged& merged) { merge_into(into, later, {}, merged); }

std::string as_toml(const toml::node& node) {
  std::ostringstream written;
  written << toml::toml_formatter(node, toml::toml_formatter::default_flags & ~toml::format_flags::allow_literal_strings);
  return written.str();
}

}  // namespace berth::config
