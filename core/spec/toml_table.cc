#include "core/spec/toml_table.h"

#include <algorithm>

#include <fmt/core.h>

#include "core/spec/quantities.h"

namespace berth::spec {
namespace {

constexpr std::size_t kMostComplaints = 10;

}  // namespace

void TomlComplaints::add(const toml::source_position& place, std::string what) {
  found_.emplace(std::pair(place.line, place.column), std::move(what));
}

void TomlComplaints::add_unknown(const toml::source_position& place, std::string key, std::string what) {
  if (found_.emplace(std::pair(place.line, place.column), std::move(what)).second) unknown_.emplace(std::pair(place.line, place.column), std::move(key));
}

Result<void> TomlComplaints::result() const {
  std::string text;
  std::size_t told = 0;
  for (const auto& [place, what] : found_) {
    if (told == kMostComplaints) {
      text += fmt::format("\nand {} more", found_.size() - told);
      break;
    }
    const auto unknown = unknown_.find(place);
    const bool is_of_top = unknown != unknown_.end() && asked_.contains(unknown->second);
    text += fmt::format("{}{}:{}:{}: {}{}", told++ == 0 ? "" : "\n", file_, place.first, place.second, what, is_of_top ? "; it belongs to the top of the file, before the first [table]" : "");
  }
  if (text.empty()) return {};
  return fail(Errc::usage, text);
}

std::optional<std::string> TomlTable::string(std::string_view key) {
  const toml::node* node = take(key);
  if (node == nullptr) return std::nullopt;
  if (const auto* text = node->as_string()) return text->get();
  complain(key, "must be text in quotes");
  return std::nullopt;
}

std::optional<std::int64_t> TomlTable::integer(std::string_view key, std::int64_t lowest, std::int64_t highest) {
  const toml::node* node = take(key);
  if (node == nullptr) return std::nullopt;
  const auto* number = node->as_integer();
  if (number != nullptr && number->get() >= lowest && number->get() <= highest) return number->get();
  complain(key, fmt::format("must be a number from {} to {}", lowest, highest));
  return std::nullopt;
}

std::optional<bool> TomlTable::boolean(std::string_view key) {
  const toml::node* node = take(key);
  if (node == nullptr) return std::nullopt;
  if (const auto* truth = node->as_boolean()) return truth->get();
  complain(key, "must be true or false");
  return std::nullopt;
}

std::optional<std::vector<std::string>> TomlTable::strings(std::string_view key) {
  const toml::node* node = take(key);
  if (node == nullptr) return std::nullopt;
  std::vector<std::string> list;
  if (const auto* items = node->as_array()) {
    for (const toml::node& item : *items)
      if (const auto* text = item.as_string()) list.push_back(text->get());
    if (list.size() == items->size()) return list;
  }
  complain(key, "must be a list of texts, such as [\"bin/server\", \"--verbose\"]");
  return std::nullopt;
}

std::optional<std::map<std::string, std::string>> TomlTable::texts(std::string_view key) {
  auto inside = table(key);
  if (!inside) return std::nullopt;
  std::map<std::string, std::string> found;
  for (const auto& [name, node] : *inside->table_)
    if (auto text = inside->string(name.str())) found.emplace(name.str(), std::move(*text));
  return found;
}

std::optional<milliseconds> TomlTable::duration(std::string_view key) {
  if (has(key) && !table_->get(key)->is_string()) {
    static_cast<void>(take(key));
    complain(key, "must be a duration in quotes, such as \"500ms\", \"10s\", \"5m\" or \"1h\"");
    return std::nullopt;
  }
  const auto text = string(key);
  if (!text) return std::nullopt;
  const auto parsed = parse_duration(*text);
  if (parsed) return *parsed;
  complain(key, "is wrong: " + parsed.error().message);
  return std::nullopt;
}

std::optional<std::uint64_t> TomlTable::size(std::string_view key) {
  if (has(key) && table_->get(key)->is_integer()) {
    const auto bytes = integer(key, 0, 1'000'000'000'000);
    return bytes ? std::optional(static_cast<std::uint64_t>(*bytes)) : std::nullopt;
  }
  const auto text = string(key);
  if (!text) return std::nullopt;
  const auto parsed = parse_size(*text);
  if (parsed) return *parsed;
  complain(key, "is wrong: " + parsed.error().message);
  return std::nullopt;
}

std::optional<std::size_t> TomlTable::choice(std::string_view key, std::span<const std::string_view> words) {
  const auto text = string(key);
  if (!text) return std::nullopt;
  const auto found = std::ranges::find(words, *text);
  if (found != words.end()) return static_cast<std::size_t>(found - words.begin());
  std::string list;
  for (const std::string_view word : words) list += fmt::format("{}\"{}\"", list.empty() ? "" : " or ", word);
  complain(key, fmt::format("is \"{}\", and must be {}", *text, list));
  return std::nullopt;
}

std::optional<TomlTable> TomlTable::table(std::string_view key) {
  const toml::node* node = take(key);
  if (node == nullptr) return std::nullopt;
  if (const auto* inside = node->as_table()) return nested(key, *inside);
  complain(key, "must be a table");
  return std::nullopt;
}

std::vector<std::string> TomlTable::keys() const {
  std::vector<std::string> names;
  for (const auto& [name, node] : *table_) names.emplace_back(name.str());
  return names;
}

std::vector<std::pair<std::string, TomlTable>> TomlTable::tables(std::string_view key) {
  std::vector<std::pair<std::string, TomlTable>> found;
  auto inside = table(key);
  if (!inside) return found;
  for (const auto& [name, node] : *inside->table_)
    if (auto one = inside->table(name.str())) found.emplace_back(name.str(), std::move(*one));
  return found;
}

void TomlTable::complain(std::string_view key, std::string_view what) {
  const toml::node* node = table_->get(key);
  complaints_->add((node == nullptr ? table_->source() : node->source()).begin, fmt::format("{} {}", name_of(key), what));
}

void TomlTable::complain(std::string_view what) { complaints_->add(table_->source().begin, fmt::format("[{}] {}", title_, what)); }

void TomlTable::done() {
  for (const auto& [key, node] : *table_) {
    if (std::ranges::find(asked_, key.str()) != asked_.end()) continue;
    const auto meant = nearest(key.str(), asked_);
    std::string what = fmt::format("unknown key '{}' {}{}", key.str(), title_.empty() ? "at the top" : fmt::format("in [{}]", title_), meant ? fmt::format(" (did you mean '{}'?)", *meant) : "");
    if (node.is_table() || meant) complaints_->add(key.source().begin, std::move(what));
    else complaints_->add_unknown(key.source().begin, std::string(key.str()), std::move(what));
  }
}

const toml::node* TomlTable::take(std::string_view key) {
  if (std::ranges::find(asked_, key) == asked_.end()) {
    asked_.emplace_back(key);
    complaints_->note_asked(title_.empty() ? std::string(key) : fmt::format("{}.{}", title_, key));
  }
  return table_->get(key);
}

std::string TomlTable::name_of(std::string_view key) const {
  return title_.empty() ? fmt::format("'{}'", key) : fmt::format("'{}' in [{}]", key, title_);
}

TomlTable TomlTable::nested(std::string_view key, const toml::table& inside) const {
  return {inside, title_.empty() ? std::string(key) : fmt::format("{}.{}", title_, key), *complaints_};
}

}  // namespace berth::spec
