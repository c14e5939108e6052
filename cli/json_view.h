#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <boost/json/value.hpp>

namespace berth::cli {

/// Reading what berthd answers: a newer one may say more, an older one less, so that what is missing reads as empty.
const boost::json::value* member(const boost::json::value& json, std::string_view name);
std::string text_of(const boost::json::value& json, std::string_view name);
std::int64_t number_of(const boost::json::value& json, std::string_view name, std::int64_t otherwise = 0);
bool truth_of(const boost::json::value& json, std::string_view name);
const boost::json::array& list_of(const boost::json::value& json, std::string_view name);

}  // namespace berth::cli
