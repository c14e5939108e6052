#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "daemon/config/config.h"
#include "daemon/config/sources.h"

namespace berth::config {

/// A line of a file.
struct Spot {
  std::string file;
  std::uint32_t line = 0;  ///< 0: of none
};

/// A key that was asked for.
struct AskedKey {
  std::string table;                 ///< empty: the top
  std::optional<std::size_t> index;  ///< within `[[table]]`
  std::string key;
  std::string value;                 ///< as TOML; of a default empty where that is nothing, or none that can be written so
  Spot at;                           ///< where it stands; of no file: the default counts
  Spot over;                         ///< where an earlier file has a value for it that does not count
};

/// A default as TOML. Empty for a type whose words only its reader knows.
std::string default_text(const std::string& value);
std::string default_text(const std::filesystem::path& value);
std::string default_text(std::chrono::milliseconds value);
std::string default_text(std::uint64_t bytes);
std::string default_text(const std::optional<Listen>& value);
template <class T>
std::string default_text(const T&) {
  return {};
}

/// TOML texts, read strictly as one: everything that is wrong with it is collected, with its place, and so is every key that nobody asked for.
class Document {
 public:
  /// Fails with `Errc::usage` and the place for what is no TOML.
  static Result<Document> parse(std::string_view text, std::string_view name);
  /// One at least; how they are put together `merge` says.
  static Result<Document> parse(const std::vector<Source>& sources);
  Document(Document&&) noexcept;
  ~Document();

  /// The table `[name]`; the one at the top where it is empty. An absent table reads as an empty one.
  class Section section(std::string_view name);

  /// How many tables `[[name]]` there are, where `name` may be `table.name`. What is something else is complained about.
  std::size_t count(std::string_view name);
  /// One of them, from 0.
  class Section element(std::string_view name, std::size_t index);

  /// The files that it was read from, in their order.
  const std::vector<std::string>& files() const;

  /// What was asked for so far, in that order.
  const std::vector<AskedKey>& asked() const;

  /// Where a later text has another value than an earlier one, a line each: "conf.d/10-web.toml:3:7: 'url' of [repository] counts over berthd.toml:12:7".
  std::vector<std::string> overrides() const;

  /// Whether all was right; each complaint is a line, in the order of the files.
  Result<void> done() const;

  struct State;

 private:
  Document();
  std::unique_ptr<State> state_;
};

/// One table of a Document. It ends (and complains about unknown keys) with its scope.
class Section {
 public:
  Section(Document::State& document, std::string name, std::optional<std::size_t> index = {});
  ~Section();
  Section(const Section&) = delete;
  Section& operator=(const Section&) = delete;

  bool has(std::string_view key) const;
  /// A string or an integer; `otherwise` where it is absent or was complained about.
  std::string string(std::string_view key, std::string otherwise);
  std::int64_t integer(std::string_view key, std::int64_t otherwise, std::int64_t lowest, std::int64_t highest);
  bool truth(std::string_view key, bool otherwise);
  /// A list of strings; what is none in it is complained about.
  std::vector<std::string> strings(std::string_view key);
  /// A table of strings, such as `labels = { rack = "r7" }`; what is none in it is complained about.
  std::map<std::string, std::string> texts(std::string_view key);
  /// All that the table says, as a text that is another one for whatever means something else.
  std::string said() const;
  /// Names a table below this one, which somebody else reads.
  void table(std::string_view key);
  /// The other keys, all of which are then known: for tables whose keys are the user's.
  std::vector<std::string> other_keys();
  /// Whatever else there is, nobody can say what is right.
  void other_keys_are_known();

  /// What the key that was asked for last is as TOML where the file has none: for what has words of its own.
  void by_default(std::string text);

  /// Complains about the value of `key`, or, where it is absent, about the whole file, or about the one of `[[name]]` that this is.
  void complain(std::string_view key, std::string_view what);

  /// "conf.d/10-hooks.toml:4:10": where the value of `key` stands, or, where it is absent, the table.
  std::string place(std::string_view key) const;

  /// Puts what `read_value` makes of a string into `into`, when there is one; its failure becomes a complaint.
  template <class T, class Read>
  void read(std::string_view key, T& into, Read read_value) {
    const std::size_t before = complaints();
    const std::string text = string(key, {});
    by_default(default_text(into));
    if (!has(key) || complaints() != before) return;
    auto value = read_value(text);
    if (value) {
      into = std::move(*value);
    } else {
      refuse(key, value.error());
    }
  }

 private:
  std::size_t complaints() const;
  void ask(std::string_view key, std::string otherwise);
  void refuse(std::string_view key, const Error& error);

  Document::State& document_;
  std::string name_;
  std::optional<std::size_t> index_;  ///< within `[[name]]`
  std::vector<std::string> known_;
};

}  // namespace berth::config
