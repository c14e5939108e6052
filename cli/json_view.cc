#include "cli/json_view.h"

namespace berth::cli {

const boost::json::value* member(const boost::json::value& json, std::string_view name) {
  const auto* object = json.if_object();
  return object == nullptr ? nullptr : object->if_contains(name);
}

std::string text_of(const boost::json::value& json, std::string_view name) {
  const auto* found = member(json, name);
  return found != nullptr && found->is_string() ? std::string(found->get_string()) : std::string();
}

std::int64_t number_of(const boost::json::value& json, std::string_view name, std::int64_t otherwise) {
  const auto* found = member(json, name);
  return found != nullptr && found->is_int64() ? found->get_int64() : otherwise;
}

bool truth_of(const boost::json::value& json, std::string_view name) {
  const auto* found = member(json, name);
  return found != nullptr && found->is_bool() && found->get_bool();
}

const boost::json::array& list_of(const boost::json::value& json, std::string_view name) {
  static const boost::json::array none;
  const auto* found = member(json, name);
  return found != nullptr && found->is_array() ? found->get_array() : none;
}

}  // namespace berth::cli
