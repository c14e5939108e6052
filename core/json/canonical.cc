#include <algorithm>
#include <charconv>
#include <vector>

#include <boost/json/serialize.hpp>

#include "core/json/json.h"

namespace berth::json {
namespace {

using Member = object::value_type;

void write_string(std::string& out, std::string_view text) {
  out += '"';
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  out += '"';
}

template <class Integer>
void write_integer(std::string& out, Integer number) {
  char digits[24];
  const auto end = std::to_chars(digits, digits + sizeof digits, number).ptr;
  out.append(digits, end);
}

bool write(std::string& out, const value& json);

bool write_list(std::string& out, const array& list) {
  out += '[';
  for (const value& item : list) {
    if (&item != list.data()) out += ',';
    if (!write(out, item)) return false;
  }
  out += ']';
  return true;
}

/// Members go by the bytes of their names, which in UTF-8 is the order of code points.
bool write_members(std::string& out, const object& members) {
  std::vector<const Member*> sorted;
  sorted.reserve(members.size());
  for (const Member& member : members) sorted.push_back(&member);
  std::ranges::sort(sorted, {}, [](const Member* member) { return std::string_view(member->key()); });

  out += '{';
  for (const Member* member : sorted) {
    if (member != sorted.front()) out += ',';
    write_string(out, member->key());
    out += ':';
    if (!write(out, member->value())) return false;
  }
  out += '}';
  return true;
}

/// False where there is a number with a fraction, which has no canonical form.
bool write(std::string& out, const value& json) {
  switch (json.kind()) {
    case boost::json::kind::null: out += "null"; return true;
    case boost::json::kind::bool_: out += json.get_bool() ? "true" : "false"; return true;
    case boost::json::kind::int64: write_integer(out, json.get_int64()); return true;
    case boost::json::kind::uint64: write_integer(out, json.get_uint64()); return true;
    case boost::json::kind::double_: return false;
    case boost::json::kind::string: write_string(out, json.get_string()); return true;
    case boost::json::kind::array: return write_list(out, json.get_array());
    case boost::json::kind::object: return write_members(out, json.get_object());
  }
  return false;
}

}  // namespace

Result<std::string> canonical(const value& json) {
  std::string out;
  if (!write(out, json)) return fail(Errc::protocol, "JSON with a number that is not an integer has no canonical form");
  return out;
}

std::string text(const value& json) { return boost::json::serialize(json); }

}  // namespace berth::json
