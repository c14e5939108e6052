#include "daemon/config/section.h"

#include <algorithm>
#include <map>
#include <sstream>
#include <utility>

#include <fmt/core.h>

#include "core/spec/app_spec.h"
#include "core/spec/toml.h"

namespace berth::config {
namespace {

/// The file itself comes before its first line.
using Place = std::pair<std::uint32_t, std::uint32_t>;

Place place_of(const toml::source_region& source) { return {source.begin.line, source.begin.column}; }

/// What is called so: `name` at the top, or `table.name` below one of its tables.
toml::node_view<const toml::node> at(const toml::table& root, std::string_view name) {
  const auto dot = name.find('.');
  if (dot == std::string_view::npos) return root[name];
  return root[name.substr(0, dot)][name.substr(dot + 1)];
}

}  // namespace

struct Document::State {
  std::string name;
  toml::table root;
  std::multimap<Place, std::string> complaints;

  const toml::table* table(const std::string& section, std::optional<std::size_t> index) const {
    if (index) return at(root, section)[*index].as_table();
    return section.empty() ? &root : at(root, section).as_table();
  }
  void complain(Place place, std::string_view what) { complaints.emplace(place, what); }
};

Document::Document() : state_(std::make_unique<State>()) {}
Document::Document(Document&&) noexcept = default;
Document::~Document() = default;

Result<Document> Document::parse(std::string_view text, std::string_view name) {
  BERTH_TRY(toml::table root, spec::parse_toml_text(text, name));
  Document document;
  document.state_->name = name;
  document.state_->root = std::move(root);
  return document;
}

Section Document::section(std::string_view name) { return Section(*state_, std::string(name)); }

std::size_t Document::count(std::string_view name) {
  const auto node = at(state_->root, name);
  if (!node) return 0;
  const auto* list = node.as_array();
  if (list != nullptr && std::ranges::all_of(*list, [](const toml::node& item) { return item.is_table(); })) return list->size();
  state_->complain(place_of(node.node()->source()), fmt::format("'{0}' is a list of tables: write [[{0}]] and its keys below it, once for each", name));
  return 0;
}

Section Document::element(std::string_view name, std::size_t index) { return Section(*state_, std::string(name), index); }

Result<void> Document::done() const {
  std::string text;
  for (const auto& [place, what] : state_->complaints) {
    const auto [line, column] = place;
    const std::string where = line == 0 ? state_->name : fmt::format("{}:{}:{}", state_->name, line, column);
    text += fmt::format("{}{}: {}", text.empty() ? "" : "\n", where, what);
  }
  if (!text.empty()) return fail(Errc::usage, std::move(text));
  return {};
}

Section::Section(Document::State& document, std::string name, std::optional<std::size_t> index)
    : document_(document), name_(std::move(name)), index_(index) {
  if (!index_ && !name_.empty() && at(document_.root, name_) && document_.table(name_, {}) == nullptr)
    document_.complain(place_of(at(document_.root, name_).node()->source()), fmt::format("'{}' is a table: write [{}] and its keys below it", name_, name_));
}

Section::~Section() {
  const auto* table = document_.table(name_, index_);
  if (table == nullptr) return;
  for (const auto& [key, value] : *table) {
    if (std::ranges::find(known_, key.str()) != known_.end()) continue;
    const auto meant = spec::nearest(key.str(), known_);
    const std::string kind = name_.empty() && value.is_table() ? "table" : "key";
    const std::string where = name_.empty() ? "" : index_ ? " in [[" + name_ + "]]" : " in [" + name_ + "]";
    const std::string hint = meant ? " (did you mean '" + *meant + "'?)" : "";
    document_.complain(place_of(key.source()), fmt::format("unknown {} '{}'{}{}", kind, key.str(), where, hint));
  }
}

bool Section::has(std::string_view key) const {
  const auto* table = document_.table(name_, index_);
  return table != nullptr && table->contains(key);
}

std::string Section::string(std::string_view key, std::string otherwise) {
  known_.emplace_back(key);
  if (!has(key)) return otherwise;
  const auto value = (*document_.table(name_, index_))[key];
  if (const auto* text = value.as_string()) return text->get();
  complain(key, fmt::format("'{}' is not a string: put it into quotes", key));
  return otherwise;
}

std::int64_t Section::integer(std::string_view key, std::int64_t otherwise, std::int64_t lowest, std::int64_t highest) {
  known_.emplace_back(key);
  if (!has(key)) return otherwise;
  const auto* number = (*document_.table(name_, index_))[key].as_integer();
  if (number != nullptr && number->get() >= lowest && number->get() <= highest) return number->get();
  complain(key, fmt::format("'{}' is not a whole number from {} to {}", key, lowest, highest));
  return otherwise;
}

std::vector<std::string> Section::strings(std::string_view key) {
  known_.emplace_back(key);
  std::vector<std::string> texts;
  if (!has(key)) return texts;
  const auto* list = (*document_.table(name_, index_))[key].as_array();
  if (list == nullptr) {
    complain(key, fmt::format("'{0}' is not a list: write {0} = [\"…\"]", key));
    return texts;
  }
  for (const auto& item : *list) {
    if (const auto* text = item.as_string()) texts.push_back(text->get());
    else complain(key, fmt::format("'{}' has something in it that is not a string", key));
  }
  return texts;
}

bool Section::truth(std::string_view key, bool otherwise) {
  known_.emplace_back(key);
  if (!has(key)) return otherwise;
  if (const auto* value = (*document_.table(name_, index_))[key].as_boolean()) return value->get();
  complain(key, fmt::format("'{}' is true or false, without quotes", key));
  return otherwise;
}

std::map<std::string, std::string> Section::texts(std::string_view key) {
  known_.emplace_back(key);
  std::map<std::string, std::string> found;
  if (!has(key)) return found;
  const auto* table = (*document_.table(name_, index_))[key].as_table();
  if (table == nullptr) {
    complain(key, fmt::format("'{0}' is not a table: write {0} = {{ name = \"…\" }}", key));
    return found;
  }
  for (const auto& [name, value] : *table) {
    if (const auto* text = value.as_string()) found.emplace(name.str(), text->get());
    else complain(key, fmt::format("'{}' in '{}' is not a string: put it into quotes", name.str(), key));
  }
  return found;
}

std::string Section::said() const {
  std::ostringstream text;
  if (const auto* table = document_.table(name_, index_)) text << toml::json_formatter{*table};
  return text.str();
}

void Section::table(std::string_view key) { known_.emplace_back(key); }

std::vector<std::string> Section::other_keys() {
  std::vector<std::string> keys;
  if (const auto* table = document_.table(name_, index_))
    for (const auto& [key, value] : *table)
      if (std::ranges::find(known_, key.str()) == known_.end()) keys.emplace_back(key.str());
  return keys;
}

void Section::other_keys_are_known() {
  for (std::string& key : other_keys()) known_.push_back(std::move(key));
}

void Section::complain(std::string_view key, std::string_view what) {
  Place place{0, 0};
  if (has(key)) place = place_of((*document_.table(name_, index_))[key].node()->source());
  else if (index_) place = place_of(document_.table(name_, index_)->source());
  document_.complain(place, what);
}

void Section::refuse(std::string_view key, const Error& error) { complain(key, fmt::format("{}: {}", key, error.message)); }

std::size_t Section::complaints() const { return document_.complaints.size(); }

}  // namespace berth::config
