#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <boost/json/value.hpp>

#include "core/result.h"

namespace berth::json {

using boost::json::array;
using boost::json::object;
using boost::json::value;

/// Limits on what came from outside.
struct Limits {
  std::size_t most_bytes = 8u << 20;
  std::size_t most_depth = 64;
};

/// Parses strictly: duplicate members, integers outside int64 and bytes after the value are refused (`Errc::protocol`, with the
/// offset). Floating-point numbers are refused as well unless `floats`.
Result<value> parse(std::string_view text, const Limits& limits = {}, bool floats = false);

/// OLPC canonical JSON: members sorted by bytes, no white space, integers only, and in strings only `"` and `\` escaped.
/// A floating-point number fails with `Errc::protocol`.
Result<std::string> canonical(const value& json);

/// JSON for machines and people, with the usual escapes.
std::string text(const value& json);

/// Appends `text`, which is UTF-8, as a string with its quotes: without a copy.
void append_quoted(std::string& out, std::string_view text);

/// Reads the members of an object one by one, collecting the first complaint; members nobody asked for are refused by `done`.
///
///   ObjectReader reader(json, "manifest");
///   auto app = reader.string("app");
///   auto level = reader.integer_or("level", 3);
///   BERTH_CHECK(reader.done());
class ObjectReader {
 public:
  /// `where` stands in front of complaints: "manifest: member 'app' is missing".
  ObjectReader(const value& json, std::string where, Errc code = Errc::trust);

  std::string string(std::string_view name);
  std::string string_or(std::string_view name, std::string otherwise);
  std::int64_t integer(std::string_view name, std::int64_t lowest = 0, std::int64_t highest = INT64_MAX);
  std::int64_t integer_or(std::string_view name, std::int64_t otherwise, std::int64_t lowest = 0, std::int64_t highest = INT64_MAX);
  bool boolean_or(std::string_view name, bool otherwise);
  const array& list(std::string_view name);            ///< empty where it is missing (a complaint)
  const array& list_or_empty(std::string_view name);
  const object& members(std::string_view name);        ///< an object; empty where it is missing (a complaint)
  const object& members_or_empty(std::string_view name);
  const value* maybe(std::string_view name);           ///< null where absent

  /// Adds a complaint of the caller's own.
  void complain(std::string what);
  /// Whether everything so far was right; unknown members are refused unless `open`.
  Result<void> done(bool open = false);
  const std::string& where() const { return where_; }

 private:
  const value* take(std::string_view name, bool required);
  std::int64_t integer_in(std::string_view name, const value& member, std::int64_t lowest, std::int64_t highest);

  const object* object_ = nullptr;  // null where the value is no object
  std::string where_;
  Errc code_;
  std::string complaint_;
  std::vector<std::string> taken_;  // members asked for, so that `done` can name one that nobody did
};

}  // namespace berth::json
