#include <algorithm>
#include <utility>

#include <fmt/core.h>

#include "core/json/json.h"

namespace berth::json {
namespace {

const array kNoList;
const object kNoMembers;
constexpr std::string_view kIsMissing = " is missing";

}  // namespace

ObjectReader::ObjectReader(const value& json, std::string where, Errc code)
    : object_(json.if_object()), where_(std::move(where)), code_(code) {
  if (object_ == nullptr) complain("is not an object");
}

std::string ObjectReader::string(std::string_view name) {
  const value* member = take(name, true);
  if (member == nullptr) return {};
  if (const auto* text = member->if_string()) return std::string(*text);
  complain(fmt::format("member '{}' is not a string", name));
  return {};
}

std::string ObjectReader::string_or(std::string_view name, std::string otherwise) {
  return take(name, false) == nullptr ? otherwise : string(name);
}

std::int64_t ObjectReader::integer(std::string_view name, std::int64_t lowest, std::int64_t highest) {
  const value* member = take(name, true);
  return member == nullptr ? lowest : integer_in(name, *member, lowest, highest);
}

std::int64_t ObjectReader::integer_or(std::string_view name, std::int64_t otherwise, std::int64_t lowest, std::int64_t highest) {
  const value* member = take(name, false);
  return member == nullptr ? otherwise : integer_in(name, *member, lowest, highest);
}

std::int64_t ObjectReader::integer_in(std::string_view name, const value& member, std::int64_t lowest, std::int64_t highest) {
  boost::json::error_code error;
  const auto number = member.is_double() ? 0 : member.to_number<std::int64_t>(error);
  if (member.is_double() || error) {
    complain(fmt::format("member '{}' is not an integer", name));
    return lowest;
  }
  if (number < lowest || number > highest) {
    complain(fmt::format("member '{}' is {}, not in {} to {}", name, number, lowest, highest));
    return lowest;
  }
  return number;
}

bool ObjectReader::boolean_or(std::string_view name, bool otherwise) {
  const value* member = take(name, false);
  if (member == nullptr) return otherwise;
  if (const bool* truth = member->if_bool()) return *truth;
  complain(fmt::format("member '{}' is neither true nor false", name));
  return otherwise;
}

const array& ObjectReader::list(std::string_view name) {
  const value* member = take(name, true);
  if (member == nullptr) return kNoList;
  if (const array* items = member->if_array()) return *items;
  complain(fmt::format("member '{}' is not a list", name));
  return kNoList;
}

const array& ObjectReader::list_or_empty(std::string_view name) {
  return take(name, false) == nullptr ? kNoList : list(name);
}

const object& ObjectReader::members(std::string_view name) {
  const value* member = take(name, true);
  if (member == nullptr) return kNoMembers;
  if (const object* inside = member->if_object()) return *inside;
  complain(fmt::format("member '{}' is not an object", name));
  return kNoMembers;
}

const object& ObjectReader::members_or_empty(std::string_view name) {
  return take(name, false) == nullptr ? kNoMembers : members(name);
}

const value* ObjectReader::maybe(std::string_view name) { return take(name, false); }

void ObjectReader::complain(std::string what) {
  if (complaint_.empty()) complaint_ = std::move(what);
}

Result<void> ObjectReader::done(bool open) {
  if (!open && object_ != nullptr) {
    for (const auto& member : *object_)
      if (std::ranges::find(taken_, std::string_view(member.key())) == taken_.end()) {
        if (complaint_.ends_with(kIsMissing)) complaint_ += fmt::format(", and '{}' is not known", std::string_view(member.key()));  // a slip, maybe
        else complain(fmt::format("member '{}' is not known", std::string_view(member.key())));
      }
  }
  if (complaint_.empty()) return {};
  return fail(code_, fmt::format("{}: {}", where_, complaint_));
}

const value* ObjectReader::take(std::string_view name, bool required) {
  if (object_ == nullptr) return nullptr;
  const value* member = object_->if_contains(name);
  if (member == nullptr) {
    if (required) complain(fmt::format("member '{}'{}", name, kIsMissing));
    return nullptr;
  }
  if (std::ranges::find(taken_, name) == taken_.end()) taken_.emplace_back(name);
  return member;
}

}  // namespace berth::json
