#pragma once

#include <stop_token>
#include <string>

#include "core/io/http.h"
#include "core/result.h"

namespace berth::io {

/// What a server says of a document that the caller may have already.
struct IfChanged {
  bool unchanged = false;  ///< it is the one of the ETag that was given (304)
  std::string etag;        ///< its name, as the server gave it; empty: it gave none, or one over 256 bytes
  std::string body;        ///< empty where it is unchanged
};

/// Gets `url` whole, unless it still is the document that the server called `etag` (If-None-Match); an empty one asks for it in any case. As `http_fetch`
/// in all else; of `options`, `from` is not used.
Result<IfChanged> http_get_if_changed(const std::string& url, const FetchOptions& options, const std::string& etag, std::stop_token stop = {});

}  // namespace berth::io
