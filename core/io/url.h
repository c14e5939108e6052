#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "core/result.h"

namespace berth::io {

/// An address on the web.
struct Url {
  bool https = false;
  std::string host;          ///< a name or a numeric address, without brackets
  std::uint16_t port = 0;
  std::string target = "/";  ///< path and query; what a request line does not take is percent-encoded

  std::string authority() const;  ///< as in the Host header: without the scheme's own port
  std::string text() const;
};

/// Whether both are of one scheme, host and port: what one of them is told of us, the other may know.
bool is_same_origin(const Url& a, const Url& b);

/// Reads http:// and https:// with a host, a port, a path and a query; a fragment is dropped. `Errc::usage` for anything else, a user in it included:
/// a password would end up in logs.
Result<Url> parse_url(std::string_view text);

/// What a Location header means on the page `base` (RFC 3986, 5.2).
Result<Url> resolve(const Url& base, std::string_view reference);

}  // namespace berth::io
