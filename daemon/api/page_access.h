#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/io/http.h"
#include "core/result.h"

namespace berth::api {

/// Under which names a browser may ask for the status page, its data and `/status`. A page of somebody else's, whose name was made to lead here (DNS rebinding), asks under that.
struct PageAccess {
  std::vector<std::string> names;  ///< this host's, besides `localhost` and numeric addresses
};

/// Why a request for `what`, "the status page", is refused for its `Host`; nothing: it is not.
std::optional<Error> host_complaint(const PageAccess& access, const io::Headers& headers, std::string_view what = "the status page");

}  // namespace berth::api
