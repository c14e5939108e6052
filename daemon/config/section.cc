#include "daemon/config/section.h"

#include <algorithm>
#include <map>
#include <set>
#include <sstream>
#include <tuple>
#include <utility>

#include <fmt/core.h>

#include "core/spec/app_spec.h"
#include "core/spec/toml.h"
#include "daemon/config/merge.h"
#include "daemon/config/values.h"

namespace berth::config {
namespace {

/// Which file, line and column. The file itself comes before its first line.
using Place = std::tuple<std::size_t, std::uint32_t, std::uint32_t>;

/// What is called so: `name` at the top, or `table.name` below one of its tables.
toml::node_view<const toml::node> at(const toml::table& root, std::string_view name) {
  const auto dot = name.find('.');
  if (dot == std::string_view::npos) return root[name];
  return root[name.substr(0, dot)][name.substr(dot + 1)];
}

/// " of [repository]"; empty for the top.
std::string of_table(const std::string& table) { return table.empty() ? "" : " of [" + table + "]"; }

/// In quotes, as TOML has it.
std::string quoted(const std::string& text) {
  return as_toml(toml::value<std::string>(text));
}

/// In the largest unit that it is a whole number of.
template <class Units>
std::string in_units(std::uint64_t number, const Units& units) {
  for (const auto& [unit, size] : units)
    if (number >= size && number % size == 0) return quoted(fmt::format("{}{}", number / size, unit));
  return {};
}

}  // namespace

std::string default_text(const std::string& value) { return value.empty() ? "" : quoted(value); }
std::string default_text(const std::filesystem::path& value) { return default_text(value.string()); }

std::string default_text(std::chrono::milliseconds value) {
  static constexpr std::pair<const char*, std::uint64_t> kUnits[] = {{"d", 86'400'000}, {"h", 3'600'000}, {"m", 60'000}, {"s", 1000}, {"ms", 1}};
  return in_units(static_cast<std::uint64_t>(value.count()), kUnits);
}

std::string default_text(std::uint64_t bytes) {
  static constexpr std::pair<const char*, std::uint64_t> kUnits[] = {{"GB", 1'000'000'000}, {"MB", 1'000'000}, {"kB", 1000}, {"MiB", 1u << 20}, {"KiB", 1u << 10}, {"B", 1}};
  return in_units(bytes, kUnits);
}

std::string default_text(const std::optional<Listen>& value) { return value ? quoted(to_string(*value)) : ""; }

struct Document::State {
  std::vector<std::string> names;  ///< of the files, in their order
  toml::table root;
  Merged merged;
  std::multimap<Place, std::string> complaints;
  std::map<Place, std::string> strangers;  ///< keys that nobody knows where they stand
  std::vector<AskedKey> asked;

  const toml::table* table(const std::string& section, std::optional<std::size_t> index) const {
    if (index) return at(root, section)[*index].as_table();
    return section.empty() ? &root : at(root, section).as_table();
  }
  void complain(Place place, std::string_view what) { complaints.emplace(place, what); }
  std::size_t file_of(const toml::source_region& source) const {
    const auto found = source.path ? std::ranges::find(names, *source.path) : names.end();
    return found == names.end() ? 0 : static_cast<std::size_t>(found - names.begin());
  }
  Place place_of(const toml::source_region& source) const { return {file_of(source), source.begin.line, source.begin.column}; }
  Spot spot_of(const toml::source_region& source) const { return {.file = names[file_of(source)], .line = source.begin.line}; }
  std::string text_of(const Place& place) const {
    const auto [file, line, column] = place;
    return line == 0 ? names[file] : fmt::format("{}:{}:{}", names[file], line, column);
  }
  /// " (it is a key of [store])"; empty where no table has it, or more than one.
  std::string home_of(const Place& place) const {
    const auto stranger = strangers.find(place);
    if (stranger == strangers.end()) return {};
    std::set<std::string> homes;
    for (const AskedKey& one : asked)
      if (one.key == stranger->second && !one.table.empty()) homes.insert(one.index ? "[[" + one.table + "]]" : "[" + one.table + "]");
    return homes.size() == 1 ? fmt::format(" (it is a key of {})", *homes.begin()) : std::string();
  }
  void complain_of_clashes() {
    for (const InTwo& one : merged.clashes)
      complain(place_of(one.is), fmt::format("'{}'{} is something else in {}: a table, a list of tables and a value cannot be put together", one.key, of_table(one.table), text_of(place_of(one.was))));
  }
};

Document::Document() : state_(std::make_unique<State>()) {}
Document::Document(Document&&) noexcept = default;
Document::~Document() = default;

Result<Document> Document::parse(std::string_view text, std::string_view name) {
  return parse({Source{.name = std::string(name), .text = std::string(text)}});
}

Result<Document> Document::parse(const std::vector<Source>& sources) {
  Document document;
  State& state = *document.state_;
  std::string wrong;
  for (const Source& source : sources) {
    state.names.push_back(source.name);
    auto root = spec::parse_toml_text(source.text, source.name);
    if (!root) wrong += (wrong.empty() ? "" : "\n") + root.error().message;
    else if (state.names.size() == 1) state.root = std::move(*root);
    else merge(state.root, std::move(*root), state.merged);
  }
  if (!wrong.empty()) return fail(Errc::usage, std::move(wrong));
  state.complain_of_clashes();
  return document;
}

const std::vector<std::string>& Document::files() const { return state_->names; }
const std::vector<AskedKey>& Document::asked() const { return state_->asked; }

Section Document::section(std::string_view name) { return Section(*state_, std::string(name)); }

std::size_t Document::count(std::string_view name) {
  const auto node = at(state_->root, name);
  if (!node) return 0;
  const auto* list = node.as_array();
  if (list != nullptr && std::ranges::all_of(*list, [](const toml::node& item) { return item.is_table(); })) return list->size();
  state_->complain(state_->place_of(node.node()->source()), fmt::format("'{0}' is a list of tables: write [[{0}]] and its keys below it, once for each", name));
  return 0;
}

Section Document::element(std::string_view name, std::size_t index) { return Section(*state_, std::string(name), index); }

std::vector<std::string> Document::overrides() const {
  std::vector<std::string> all;
  for (const InTwo& one : state_->merged.overridden)
    if (one.differs)
      all.push_back(fmt::format("{}: '{}'{} counts over {}", state_->text_of(state_->place_of(one.is)), one.key, of_table(one.table), state_->text_of(state_->place_of(one.was))));
  return all;
}

Result<void> Document::done() const {
  std::string text;
  for (const auto& [place, what] : state_->complaints) text += fmt::format("{}{}: {}", text.empty() ? "" : "\n", state_->text_of(place), what) + state_->home_of(place);
  if (!text.empty()) return fail(Errc::usage, std::move(text));
  return {};
}

Section::Section(Document::State& document, std::string name, std::optional<std::size_t> index)
    : document_(document), name_(std::move(name)), index_(index) {
  if (!index_ && !name_.empty() && at(document_.root, name_) && document_.table(name_, {}) == nullptr)
    document_.complain(document_.place_of(at(document_.root, name_).node()->source()), fmt::format("'{}' is a table: write [{}] and its keys below it", name_, name_));
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
    document_.complain(document_.place_of(key.source()), fmt::format("unknown {} '{}'{}{}", kind, key.str(), where, hint));
    if (!meant && kind == "key") document_.strangers.emplace(document_.place_of(key.source()), key.str());
  }
}

bool Section::has(std::string_view key) const {
  const auto* table = document_.table(name_, index_);
  return table != nullptr && table->contains(key);
}

std::string Section::string(std::string_view key, std::string otherwise) {
  ask(key, default_text(otherwise));
  if (!has(key)) return otherwise;
  const auto value = (*document_.table(name_, index_))[key];
  if (const auto* text = value.as_string()) return text->get();
  complain(key, fmt::format("'{}' is not a string: put it into quotes", key));
  return otherwise;
}

std::int64_t Section::integer(std::string_view key, std::int64_t otherwise, std::int64_t lowest, std::int64_t highest) {
  ask(key, std::to_string(otherwise));
  if (!has(key)) return otherwise;
  const auto* number = (*document_.table(name_, index_))[key].as_integer();
  if (number != nullptr && number->get() >= lowest && number->get() <= highest) return number->get();
  complain(key, fmt::format("'{}' is not a whole number from {} to {}", key, lowest, highest));
  return otherwise;
}

std::vector<std::string> Section::strings(std::string_view key) {
  ask(key, {});
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
  ask(key, otherwise ? "true" : "false");
  if (!has(key)) return otherwise;
  if (const auto* value = (*document_.table(name_, index_))[key].as_boolean()) return value->get();
  complain(key, fmt::format("'{}' is true or false, without quotes", key));
  return otherwise;
}

std::map<std::string, std::string> Section::texts(std::string_view key) {
  ask(key, {});
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
  Place where{0, 0, 0};
  if (has(key)) where = document_.place_of((*document_.table(name_, index_))[key].node()->source());
  else if (index_) where = document_.place_of(document_.table(name_, index_)->source());
  document_.complain(where, what);
}

std::string Section::place(std::string_view key) const {
  const auto* table = document_.table(name_, index_);
  if (table == nullptr) return document_.names.front();
  return document_.text_of(document_.place_of(has(key) ? (*table)[key].node()->source() : table->source()));
}

void Section::refuse(std::string_view key, const Error& error) { complain(key, fmt::format("{}: {}", key, error.message)); }

void Section::ask(std::string_view key, std::string otherwise) {
  known_.emplace_back(key);
  AskedKey asked{.table = name_, .index = index_, .key = std::string(key), .value = std::move(otherwise)};
  if (has(key)) {
    const auto value = (*document_.table(name_, index_))[key];
    asked.value = as_toml(*value.node());
    const auto& source = value.node()->source();
    asked.at = document_.spot_of(source);
    for (const InTwo& one : document_.merged.overridden)
      if (!index_ && one.table == name_ && one.key == key) asked.over = document_.spot_of(one.was);
  }
  document_.asked.push_back(std::move(asked));
}

void Section::by_default(std::string text) {
  if (AskedKey& last = document_.asked.back(); last.at.line == 0) last.value = std::move(text);
}

std::size_t Section::complaints() const { return document_.complaints.size(); }

}  // namespace berth::config
