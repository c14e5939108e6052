#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/result.h"
#include "core/spec/app_spec.h"
#include "core/spec/toml.h"

namespace berth::spec {

/// What is wrong with a TOML file, and where.
class TomlComplaints {
 public:
  explicit TomlComplaints(std::string_view file) : file_(file) {}

  void add(const toml::source_position& place, std::string what);
  /// The same of a key that its table does not know. Where the top of the file has such a key, that is said, too.
  void add_unknown(const toml::source_position& place, std::string key, std::string what);
  /// A key that a reader asked for, as "process.web.command".
  void note_asked(std::string key) { asked_.insert(std::move(key)); }
  const std::set<std::string>& asked() const { return asked_; }
  /// Nothing, or `Errc::usage` with a line for each complaint in the order of places, ten at most: "berth.toml:12:3: …".
  Result<void> result() const;

 private:
  std::string file_;
  std::set<std::string> asked_;
  using Place = std::pair<toml::source_index, toml::source_index>;
  std::map<Place, std::string> found_;    // one for each place: the first
  std::map<Place, std::string> unknown_;  // keys, which the top may be asked for later
};

/// Reads the keys of a TOML table one by one, complaining of those with a wrong value; what nobody asked for is refused by `done`.
/// Each reader returns nothing where the key is absent, or was complained of.
class TomlTable {
 public:
  /// `title`: "process.web"; empty for the top of the file. The table and the complaints outlive the reader.
  TomlTable(const toml::table& table, std::string title, TomlComplaints& complaints)
      : table_(&table), title_(std::move(title)), complaints_(&complaints) {}

  std::optional<std::string> string(std::string_view key);
  std::optional<std::int64_t> integer(std::string_view key, std::int64_t lowest, std::int64_t highest);
  std::optional<bool> boolean(std::string_view key);
  std::optional<std::vector<std::string>> strings(std::string_view key);
  std::optional<std::map<std::string, std::string>> texts(std::string_view key);  ///< a table of strings
  std::optional<milliseconds> duration(std::string_view key);
  std::optional<std::uint64_t> size(std::string_view key);  ///< "10MB", or a number of bytes
  /// The place in `words` of the key's value.
  std::optional<std::size_t> choice(std::string_view key, std::span<const std::string_view> words);
  std::optional<TomlTable> table(std::string_view key);
  /// The tables below `key`, such as each `[process.NAME]`.
  std::vector<std::pair<std::string, TomlTable>> tables(std::string_view key);

  bool has(std::string_view key) const { return table_->contains(key); }
  bool has_list(std::string_view key) const { return has(key) && table_->get(key)->is_array(); }
  bool has_table(std::string_view key) const { return has(key) && table_->get(key)->is_table(); }
  bool has_boolean(std::string_view key) const { return has(key) && table_->get(key)->is_boolean(); }
  bool has_integer(std::string_view key) const { return has(key) && table_->get(key)->is_integer(); }
  std::vector<std::string> keys() const;
  /// Complains of a key's value, or of the table where the key is absent: "'key' in [title] what".
  void complain(std::string_view key, std::string_view what);
  /// Complains of the table itself: "[title] what".
  void complain(std::string_view what);
  /// A key that may be there: `done` does not complain of it, and may name it.
  void know(std::string_view key) { static_cast<void>(take(key)); }
  /// Complains of every key that nobody asked for, naming the nearest one that somebody did.
  void done();

 private:
  const toml::node* take(std::string_view key);
  std::string name_of(std::string_view key) const;
  TomlTable nested(std::string_view key, const toml::table& inside) const;

  const toml::table* table_;
  std::string title_;
  TomlComplaints* complaints_;
  std::vector<std::string> asked_;
};

/// Keeps what is there already where nothing was read.
template <class Target, class Value>
void assign(Target& target, std::optional<Value> value) {
  if (value) target = static_cast<Target>(std::move(*value));
}

}  // namespace berth::spec
