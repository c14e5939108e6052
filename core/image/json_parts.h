#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/json/json.h"
#include "core/result.h"

namespace berth::image {

/// Parses a document of an image, without its null members: Go programs write them for what is absent.
Result<json::value> parse_document(std::string_view text, const std::string& where);

/// A list of strings; empty where it is absent.
std::vector<std::string> texts_of(json::ObjectReader& reader, std::string_view name);

}  // namespace berth::image
